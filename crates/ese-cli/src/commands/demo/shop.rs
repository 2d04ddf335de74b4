//! The book store: its tables, its writers, and whether its books balance.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ese_btree::live::LiveCounters;
use ese_format::{ColumnKind, JetError, KeyFlags};
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, Database, Engine, Environment, IndexSpec, InitOptions, Instance,
    ParameterId, PrepareKind, SeekFlags, Session, SetFlags, SetOptions, Table, TableError, TableMode,
    TableSpec, TermMode,
};

use super::words::{Dice, blurb, person, subject, title};
use crate::commands::backup::instance_failure;
use crate::failure::Failure;

const CUSTOMERS: u32 = 40;
/// Days from the beginning of the engine's dates, 1899-12-30, to 1970.
const DAYS_TO_1970: f64 = 25569.0;

/// What the files are to be like.
#[derive(Clone, Copy)]
pub(super) struct Files {
    pub(super) page_size: u32,
    /// Of the engine; the newest when absent.
    pub(super) format_version: Option<u32>,
}

/// A running instance with the store's database.
pub(super) struct Shop {
    instance: Instance,
    path: PathBuf,
    books: u32,
}

/// What was ordered and what was sold must be the same.
pub(super) struct Sum {
    pub(super) orders: u64,
    pub(super) ordered: i64,
    pub(super) sold: i64,
}

impl Sum {
    pub(super) fn holds(&self) -> bool {
        self.ordered == self.sold
    }
}

fn failed(error: impl Into<TableError>) -> Failure {
    let error = error.into();
    Failure::jet(error.jet_error(), &error)
}

fn now() -> [u8; 8] {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (DAYS_TO_1970 + since.as_secs_f64() / 86_400.0).to_le_bytes()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn number(value: Option<Vec<u8>>) -> i64 {
    value.and_then(|v| v.first_chunk().map(|b| i32::from_le_bytes(*b))).unwrap_or(0).into()
}

fn books() -> TableSpec {
    TableSpec::new("Books")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG).auto_increment())
        .column(ColumnSpec::fixed("Price", ColumnKind::CURRENCY))
        .column(ColumnSpec::fixed("Added", ColumnKind::DATE_TIME))
        .column(ColumnSpec::fixed("Sold", ColumnKind::LONG).escrow_update().default_value(0_i32))
        .column(ColumnSpec::variable("Isbn", ColumnKind::TEXT, 20))
        .column(ColumnSpec::variable("Title", ColumnKind::TEXT, 200).unicode())
        .column(ColumnSpec::tagged("Subject", ColumnKind::TEXT).multi_valued())
        .column(ColumnSpec::tagged("Blurb", ColumnKind::LONG_TEXT).unicode().compressed())
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByIsbn").ascending("Isbn").unique())
        .index(IndexSpec::new("ByTitle").ascending("Title"))
        .index(IndexSpec::new("BySubject").ascending("Subject").descending("Price"))
}

fn customers() -> TableSpec {
    TableSpec::new("Customers")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG).not_null())
        .column(ColumnSpec::fixed("Orders", ColumnKind::LONG))
        .column(ColumnSpec::fixed("LastOrder", ColumnKind::DATE_TIME))
        .column(ColumnSpec::variable("Name", ColumnKind::TEXT, 100).unicode())
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByLastOrder").descending("LastOrder").ignore_null())
}

fn orders() -> TableSpec {
    TableSpec::new("Orders")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG).auto_increment())
        .column(ColumnSpec::fixed("Book", ColumnKind::LONG))
        .column(ColumnSpec::fixed("Customer", ColumnKind::LONG))
        .column(ColumnSpec::fixed("Copies", ColumnKind::LONG))
        .column(ColumnSpec::fixed("Placed", ColumnKind::DATE_TIME))
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByBook").ascending("Book"))
        .index(IndexSpec::new("ByCustomer").ascending("Customer").descending("Placed"))
}

impl Shop {
    fn start(directory: &Path, files: Files, path: &Path, books: u32) -> Result<Self, Failure> {
        let instance = Engine::new(Environment::system())
            .create_instance("ese demo")
            .map_err(|e| instance_failure(&e))?;
        for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
            let text = directory.to_string_lossy();
            instance.set_parameter(id, text.as_ref()).map_err(|e| instance_failure(&e))?;
        }
        for (id, value) in [
            (ParameterId::DATABASE_PAGE_SIZE, files.page_size),
            (ParameterId::LOG_FILE_SIZE, 1024),
            (ParameterId::MAX_SESSIONS, 128),
            (ParameterId::CREATE_PATH_IF_NOT_EXIST, 1),
        ] {
            instance.set_parameter(id, value).map_err(|e| instance_failure(&e))?;
        }
        if let Some(version) = files.format_version {
            instance
                .set_parameter(ParameterId::ENGINE_FORMAT_VERSION, version)
                .map_err(|e| instance_failure(&e))?;
        }
        instance.initialize(InitOptions::default()).map_err(|e| instance_failure(&e))?;
        Ok(Self { instance, path: path.to_path_buf(), books })
    }

    /// A new store in `directory`, with books on its shelves.
    pub(super) fn create(directory: &Path, files: Files, count: u32) -> Result<Self, Failure> {
        let shop = Self::start(directory, files, &directory.join("store.edb"), count)?;
        let session = shop.instance.begin_session().map_err(failed)?;
        let database = session
            .create_database(&shop.path, &CreateOptions::default())
            .map_err(|e| instance_failure(&e))?;
        for table in [books(), customers(), orders()] {
            database.create_table(&table).map_err(failed)?;
        }
        let dice = Dice::new(42);
        fill_books(&session, &database, count, &dice).map_err(failed)?;
        fill_customers(&session, &database, &dice).map_err(failed)?;
        Ok(shop)
    }

    /// The store of a database that was closed.
    pub(super) fn open(directory: &Path, path: &Path, files: Files) -> Result<Self, Failure> {
        let shop = Self::start(directory, files, path, 0)?;
        shop.instance.attach(path).map_err(|e| instance_failure(&e))?;
        Ok(shop)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn instance(&self) -> &Instance {
        &self.instance
    }

    pub(super) fn counters(&self) -> LiveCounters {
        self.instance.counters()
    }

    pub(super) fn describe(&self) -> String {
        format!("{} books, {CUSTOMERS} customers, 3 tables with 9 indexes", self.books)
    }

    /// Bytes of log that recovery would read now.
    pub(super) fn checkpoint_lag(&self) -> u64 {
        self.instance.checkpoint_lag().unwrap_or(0)
    }

    /// A writer with a session of its own.
    pub(super) fn writer(&self, number: u64) -> Result<Writer, Failure> {
        let session = self.instance.begin_session().map_err(failed)?;
        Writer::open(session, &self.path, self.books, number).map_err(failed)
    }

    /// Adds up what was ordered and what was sold, in one transaction.
    pub(super) fn balance(&self) -> Result<Sum, Failure> {
        self.sum().map_err(failed)
    }

    fn sum(&self) -> Result<Sum, TableError> {
        let session = self.instance.begin_session()?;
        let database = session.open_database(&self.path)?;
        session.begin_read_only()?;
        let (orders, ordered) = sum_of(&database, "Orders", "Copies")?;
        let (_, sold) = sum_of(&database, "Books", "Sold")?;
        session.commit(CommitMode::Lazy)?;
        Ok(Sum { orders, ordered, sold })
    }

    pub(super) fn balance_and_close(self) -> Result<Sum, Failure> {
        let sum = self.balance()?;
        self.close(TermMode::Complete)?;
        Ok(sum)
    }

    pub(super) fn close(self, mode: TermMode) -> Result<(), Failure> {
        self.instance.terminate(mode).map_err(|e| instance_failure(&e))
    }

    /// Goes away without closing anything.
    pub(super) fn crash(self) {
        drop(self.instance);
    }
}

fn sum_of(database: &Database, table: &str, column: &str) -> Result<(u64, i64), TableError> {
    let mut table = database.open_table(table, TableMode::default())?;
    let column = table.column_id(column)?;
    let (mut rows, mut sum) = (0, 0);
    let mut found = table.move_first();
    loop {
        match found {
            Ok(()) => {}
            Err(TableError::NoCurrentRecord) => return Ok((rows, sum)),
            Err(error) => return Err(error),
        }
        rows += 1;
        sum += number(table.get(column)?);
        found = table.move_next();
    }
}

fn fill_books(session: &Session, database: &Database, count: u32, dice: &Dice) -> Result<(), TableError> {
    let mut table = database.open_table("Books", TableMode::default())?;
    let mut column = |name| table.column_id(name);
    let (price, added, isbn) = (column("Price")?, column("Added")?, column("Isbn")?);
    let (name, subjects, about) = (column("Title")?, column("Subject")?, column("Blurb")?);
    // Some hundred books a transaction.
    for first in (0..count).step_by(200) {
        session.begin()?;
        for book in first..count.min(first + 200) {
            table.prepare(PrepareKind::Insert)?;
            let cents = 500 + dice.below(4500).cast_signed();
            table.set_column(price, &(cents * 100).to_le_bytes(), SetFlags::empty())?;
            table.set_column(added, &now(), SetFlags::empty())?;
            let code = format!("978-{:010}", book);
            table.set_column(isbn, code.as_bytes(), SetFlags::empty())?;
            table.set_column(name, &utf16(&title(dice, book)), SetFlags::empty())?;
            for instance in 1..=1 + u32::try_from(dice.below(2)).unwrap_or(0) {
                let options = SetOptions { instance, ..SetOptions::default() };
                table.set_column(subjects, subject(dice).as_bytes(), options)?;
            }
            table.set_column(about, &utf16(&blurb(dice)), SetFlags::empty())?;
            table.update()?;
        }
        session.commit(CommitMode::Durable)?;
    }
    Ok(())
}

fn fill_customers(session: &Session, database: &Database, dice: &Dice) -> Result<(), TableError> {
    let mut table = database.open_table("Customers", TableMode::default())?;
    let (id, orders, name) = (table.column_id("Id")?, table.column_id("Orders")?, table.column_id("Name")?);
    session.begin()?;
    for customer in 0..CUSTOMERS {
        table.prepare(PrepareKind::Insert)?;
        table.set_column(id, &customer.to_le_bytes(), SetFlags::empty())?;
        table.set_column(orders, &0_i32.to_le_bytes(), SetFlags::empty())?;
        table.set_column(name, &utf16(&person(dice, customer)), SetFlags::empty())?;
        table.update()?;
    }
    session.commit(CommitMode::Durable)?;
    Ok(())
}

/// Places orders. Cursors go before their session.
pub(super) struct Writer {
    books: Table,
    customers: Table,
    orders: Table,
    columns: Columns,
    session: Session,
    dice: Dice,
    count: u32,
}

struct Columns {
    sold: u32,
    customer_orders: u32,
    last_order: u32,
    book: u32,
    customer: u32,
    copies: u32,
    placed: u32,
}

impl Writer {
    fn open(session: Session, path: &Path, count: u32, number: u64) -> Result<Self, TableError> {
        let database = session.open_database(path)?;
        let mut books = database.open_table("Books", TableMode::default())?;
        let mut customers = database.open_table("Customers", TableMode::default())?;
        let mut orders = database.open_table("Orders", TableMode::default())?;
        let columns = Columns {
            sold: books.column_id("Sold")?,
            customer_orders: customers.column_id("Orders")?,
            last_order: customers.column_id("LastOrder")?,
            book: orders.column_id("Book")?,
            customer: orders.column_id("Customer")?,
            copies: orders.column_id("Copies")?,
            placed: orders.column_id("Placed")?,
        };
        Ok(Self { books, customers, orders, columns, session, dice: Dice::new(1000 + number), count })
    }

    /// One order, in a durable transaction. Tried again as long as another writer serves the same customer; how often.
    pub(super) fn order(&mut self) -> Result<u64, Failure> {
        let book = 1 + u32::try_from(self.dice.below(self.count.into())).unwrap_or(0);
        let customer = u32::try_from(self.dice.below(CUSTOMERS.into())).unwrap_or(0);
        let copies = 1 + i32::try_from(self.dice.below(3)).unwrap_or(0);
        let mut conflicts = 0;
        loop {
            self.session.begin().map_err(failed)?;
            match self.place(book, customer, copies) {
                Ok(()) => {
                    self.session.commit(CommitMode::Durable).map_err(failed)?;
                    return Ok(conflicts);
                }
                Err(error) => {
                    self.session.rollback().map_err(failed)?;
                    if error.jet_error() != JetError::WRITE_CONFLICT {
                        return Err(failed(error));
                    }
                    conflicts += 1;
                    std::thread::yield_now();
                }
            }
        }
    }

    fn place(&mut self, book: u32, customer: u32, copies: i32) -> Result<(), TableError> {
        let Self { books, customers, orders, columns, .. } = self;
        // Others may sell the same book at the same time: a counter does not mind.
        books.make_key(&book.to_le_bytes(), KeyFlags::NEW_KEY)?;
        books.seek(SeekFlags::EQUAL)?;
        books.escrow_update(columns.sold, &copies.to_le_bytes())?;
        // But one customer is served by one writer.
        customers.make_key(&customer.to_le_bytes(), KeyFlags::NEW_KEY)?;
        customers.seek(SeekFlags::EQUAL)?;
        customers.prepare(PrepareKind::ReplaceNoLock)?;
        let before = number(customers.get(columns.customer_orders)?);
        let after = i32::try_from(before + 1).unwrap_or(i32::MAX);
        customers.set_column(columns.customer_orders, &after.to_le_bytes(), SetFlags::empty())?;
        customers.set_column(columns.last_order, &now(), SetFlags::empty())?;
        if let Err(error) = customers.update() {
            customers.cancel_update()?;
            return Err(error);
        }
        orders.prepare(PrepareKind::Insert)?;
        orders.set_column(columns.book, &book.to_le_bytes(), SetFlags::empty())?;
        orders.set_column(columns.customer, &customer.to_le_bytes(), SetFlags::empty())?;
        orders.set_column(columns.copies, &copies.to_le_bytes(), SetFlags::empty())?;
        orders.set_column(columns.placed, &now(), SetFlags::empty())?;
        orders.update()?;
        Ok(())
    }
}
