//! The system tables of a new database.

use ese_btree::TreeRoot;
use ese_format::{ColumnKind, EngineFormatVersion, ObjectId, PageFlags, PageNumber};

use super::definition::{encode_name, find_placed, index_row, place_columns};
use super::{BuilderError, ColumnSpec, DatabaseBuilder, IndexSpec, Row, TableSpec, Value};
use crate::catalog::{
    CATALOG_OBJECT, CATALOG_ROOT, CATALOG_SHADOW_OBJECT, CATALOG_SHADOW_ROOT, CatalogRow, CatalogRowKind,
    ColumnFlags, IndexFlags, TableFlags,
};

/// MSysObjects.
pub(super) const CATALOG_TREE: TreeRoot = TreeRoot::new(CATALOG_ROOT, CATALOG_OBJECT, 0);
/// MSysObjectsShadow.
pub(super) const SHADOW_TREE: TreeRoot = TreeRoot::new(CATALOG_SHADOW_ROOT, CATALOG_SHADOW_OBJECT, 0);
/// Index `Name` of MSysObjects.
pub(super) const NAME_TREE: TreeRoot = TreeRoot::new(PageNumber(7), ObjectId(4), INDEX);
/// Index `RootObjects` of MSysObjects.
pub(super) const ROOT_TREE: TreeRoot = TreeRoot::new(PageNumber(10), ObjectId(5), INDEX);

const INDEX: u32 = PageFlags::INDEX.bits();
/// Pages of a new database: 256 with the two of the header.
pub(crate) const INITIAL_PAGES: u32 = 254;
/// Pages that the catalog gets.
pub(crate) const CATALOG_PAGES: u32 = 20;
/// Pages that the shadow gets.
pub(crate) const SHADOW_PAGES: u32 = 5;
/// Code page that all columns of the catalog name, text or not.
pub(super) const CATALOG_CODE_PAGE: u32 = 1252;

/// Columns of MSysObjects: number, name, type, size, not null.
pub(super) const CATALOG_COLUMNS: [(u16, &str, ColumnKind, u32, bool); 29] = [
    (1, "ObjidTable", ColumnKind::LONG, 4, true),
    (2, "Type", ColumnKind::SHORT, 2, true),
    (3, "Id", ColumnKind::LONG, 4, true),
    (4, "ColtypOrPgnoFDP", ColumnKind::LONG, 4, true),
    (5, "SpaceUsage", ColumnKind::LONG, 4, true),
    (6, "Flags", ColumnKind::LONG, 4, true),
    (7, "PagesOrLocale", ColumnKind::LONG, 4, true),
    (8, "RootFlag", ColumnKind::BIT, 1, false),
    (9, "RecordOffset", ColumnKind::SHORT, 2, false),
    (10, "LCMapFlags", ColumnKind::LONG, 4, false),
    (11, "KeyMost", ColumnKind::UNSIGNED_SHORT, 2, false),
    (12, "LVChunkMax", ColumnKind::LONG, 4, false),
    (13, "PgnoFDPLastSetTime", ColumnKind::DATE_TIME, 8, false),
    (128, "Name", ColumnKind::TEXT, 255, true),
    (129, "Stats", ColumnKind::BINARY, 255, false),
    (130, "TemplateTable", ColumnKind::TEXT, 255, false),
    (131, "DefaultValue", ColumnKind::BINARY, 255, false),
    (132, "KeyFldIDs", ColumnKind::BINARY, 255, false),
    (133, "VarSegMac", ColumnKind::BINARY, 255, false),
    (134, "ConditionalColumns", ColumnKind::BINARY, 255, false),
    (135, "TupleLimits", ColumnKind::BINARY, 255, false),
    (136, "Version", ColumnKind::BINARY, 255, false),
    (137, "SortID", ColumnKind::BINARY, 255, false),
    (256, "CallbackData", ColumnKind::LONG_BINARY, 0, false),
    (257, "CallbackDependencies", ColumnKind::LONG_BINARY, 0, false),
    (258, "SeparateLV", ColumnKind::LONG_BINARY, 0, false),
    (259, "SpaceHints", ColumnKind::LONG_BINARY, 0, false),
    (260, "SpaceDeferredLVHints", ColumnKind::LONG_BINARY, 0, false),
    (261, "LocaleName", ColumnKind::LONG_BINARY, 0, false),
];

/// Name of the table that maps object ids to tables.
const OBJECTS_TABLE: &str = "MSysObjids";

/// The rows of the catalog about itself and its shadow, object ids and root pages included.
pub(crate) fn catalog_rows(key_limit: u16) -> Result<Vec<CatalogRow>, BuilderError> {
    let index = |name: &str, columns: &[&str], null_policy: IndexFlags| {
        let spec = columns.iter().fold(IndexSpec::new(name), |spec, column| spec.ascending(column));
        IndexSpec { flags: IndexFlags::EXTENDED_SEGMENTS | IndexFlags::UNIQUE | null_policy, ..spec }
    };
    let by_id = index("Id", &["ObjidTable", "Type", "Id"], IndexFlags::NO_NULL_SEGMENT | IndexFlags::PRIMARY);
    let by_name = index("Name", &["ObjidTable", "Type", "Name"], IndexFlags::NO_NULL_SEGMENT);
    let roots = index("RootObjects", &["RootFlag", "Name"], IndexFlags::ALLOW_SOME_NULLS);
    let catalog = [(by_id.clone(), CATALOG_TREE), (by_name, NAME_TREE), (roots, ROOT_TREE)];
    let mut rows = describe_catalog("MSysObjects", CATALOG_TREE, CATALOG_PAGES, &catalog, key_limit)?;
    let shadow = [(by_id, SHADOW_TREE)];
    rows.extend(describe_catalog("MSysObjectsShadow", SHADOW_TREE, SHADOW_PAGES, &shadow, key_limit)?);
    Ok(rows)
}

/// The catalog's rows about itself, or about its shadow.
fn describe_catalog(
    name: &str,
    tree: TreeRoot,
    pages: u32,
    indexes: &[(IndexSpec, TreeRoot)],
    key_limit: u16,
) -> Result<Vec<CatalogRow>, BuilderError> {
    let mut rows = vec![table_row(tree, pages, encode_name(name)?)];
    let mut spec = TableSpec::new(name);
    for (id, name, kind, size, not_null) in CATALOG_COLUMNS {
        rows.push(column_row(tree, id, encode_name(name)?, kind, size, not_null));
        spec = spec.column(match id {
            0..128 => ColumnSpec::fixed(name, kind),
            128..256 => ColumnSpec::variable(name, kind, size),
            _ => ColumnSpec::tagged(name, kind),
        });
    }
    let columns = place_columns(&spec)?;
    for (index, index_tree) in indexes {
        let find = |name: &str| find_placed(&columns, name, false);
        let row = index_row(index, &find, tree.object, key_limit)?;
        rows.push(CatalogRow { id: index_tree.object.0, type_or_root: index_tree.root.0, ..row });
    }
    Ok(rows)
}

/// MSysObjids: which table an object id belongs to.
pub(crate) fn objects_table() -> TableSpec {
    let primary = IndexSpec { density: 100, ..IndexSpec::new("primary").ascending("objid").primary() };
    let spec = TableSpec::new(OBJECTS_TABLE)
        .column(ColumnSpec::tagged("objid", ColumnKind::LONG))
        .column(ColumnSpec::tagged("objidTable", ColumnKind::LONG))
        .column(ColumnSpec::tagged("type", ColumnKind::SHORT))
        .index(primary);
    let flags = TableFlags::SYSTEM | TableFlags::FIXED_SCHEMA | TableFlags::DYNAMIC_SYSTEM;
    TableSpec { flags, density: 100, ..spec }
}

/// The objects of the catalog: object, table, kind.
pub(crate) const CATALOG_OBJECTS: [(ObjectId, ObjectId, CatalogRowKind); 4] = [
    (CATALOG_OBJECT, CATALOG_OBJECT, CatalogRowKind::TABLE),
    (CATALOG_SHADOW_OBJECT, CATALOG_SHADOW_OBJECT, CatalogRowKind::TABLE),
    (NAME_TREE.object, CATALOG_OBJECT, CatalogRowKind::INDEX),
    (ROOT_TREE.object, CATALOG_OBJECT, CatalogRowKind::INDEX),
];

/// MSysLocales: which sorting tables the indexes of Unicode text were made with. `wide`: with the columns that came later.
pub(crate) fn locales_table(wide: bool) -> TableSpec {
    let counter = ColumnSpec {
        flags: ColumnFlags::DEFAULT | ColumnFlags::ESCROW_UPDATE,
        ..ColumnSpec::fixed("iValue", ColumnKind::LONG).default_value(0)
    };
    let primary = IndexSpec::new("KeyPrimary").ascending("Key").primary();
    let primary =
        IndexSpec { density: 92, flags: primary.flags | IndexFlags::DISALLOW_TRUNCATION, ..primary };
    let mut spec = TableSpec::new("MSysLocales")
        .column(ColumnSpec::fixed("Type", ColumnKind::UNSIGNED_BYTE).not_null())
        .column(counter)
        .column(ColumnSpec::variable("Key", ColumnKind::BINARY, 255))
        .index(primary);
    if wide {
        spec = spec
            .column(ColumnSpec::tagged("rgbValue", ColumnKind::LONG_BINARY))
            .column(ColumnSpec::fixed("i64Value", ColumnKind::CURRENCY));
    }
    let flags = TableFlags::SYSTEM | TableFlags::DYNAMIC_SYSTEM;
    TableSpec { flags, density: 92, ..spec }
}

/// The rows of a new MSysLocales: key, type, value.
pub(crate) fn locale_rows(wide: bool) -> [(&'static str, u8, i32); 7] {
    [
        (".Schema\\External\\Major", 1, 1),
        (".Schema\\External\\Minor", 1, 0),
        (".Schema\\External\\Update", 1, 0),
        (".Schema\\Internal\\Major", 1, 1),
        (".Schema\\Internal\\Minor", 1, 0),
        (".Schema\\Internal\\Update", 1, if wide { 2 } else { 0 }),
        ("MSysLocalesConsistent", 2, 1),
    ]
}

impl DatabaseBuilder {
    /// The first thirty pages: space of the database, catalog and shadow, and the two other system tables.
    pub(super) fn create_system_tables(&mut self) -> Result<(), BuilderError> {
        let root = PageNumber::DATABASE_ROOT;
        self.writer.create_database_root(INITIAL_PAGES)?;
        self.writer.create_tree(root, CATALOG_OBJECT, 0, CATALOG_PAGES, true, None)?;
        self.writer.create_tree(root, CATALOG_SHADOW_OBJECT, 0, SHADOW_PAGES, true, None)?;
        self.writer.create_tree(CATALOG_ROOT, NAME_TREE.object, INDEX, 3, true, None)?;
        self.writer.create_tree(CATALOG_ROOT, ROOT_TREE.object, INDEX, 3, true, None)?;
        for row in catalog_rows(self.key_limit())? {
            self.add_catalog_row(row)?;
        }
        self.create_any_table(&objects_table())?;
        for (object, table, kind) in CATALOG_OBJECTS {
            self.add_object(object, table, kind)?;
        }
        self.create_locales()
    }

    /// Adds an object to MSysObjids, the first of the builder's tables.
    pub(crate) fn add_object(
        &mut self,
        object: ObjectId,
        table: ObjectId,
        kind: CatalogRowKind,
    ) -> Result<(), BuilderError> {
        let row = Row::new()
            .set("objid", Value::Long(object.0 as i32))
            .set("objidTable", Value::Long(table.0 as i32))
            .set("type", Value::Short(kind.0 as i16));
        self.insert_row(super::TableHandle(0), &row)
    }

    /// The tree of MSysLocales, the second of the builder's tables.
    pub(crate) fn locales_tree(&self) -> Option<TreeRoot> {
        self.tables.get(1).map(|table| table.tree)
    }

    fn create_locales(&mut self) -> Result<(), BuilderError> {
        let wide = self.header.version().has_feature(EngineFormatVersion::KEY_VALUE_STORE_V2);
        let table = self.create_any_table(&locales_table(wide))?;
        for (key, kind, value) in locale_rows(wide) {
            // With the terminating zero.
            let key: Vec<u8> = key.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
            let row = Row::new()
                .set("Type", Value::UnsignedByte(kind))
                .set("iValue", value)
                .set("Key", Value::Binary(key));
            self.insert_row(table, &row)?;
        }
        Ok(())
    }
}

/// The row of a system table in the catalog.
pub(super) fn table_row(tree: TreeRoot, pages: u32, name: Vec<u8>) -> CatalogRow {
    CatalogRow {
        table: tree.object,
        kind: CatalogRowKind::TABLE,
        id: tree.object.0,
        type_or_root: tree.root.0,
        space_usage: 80,
        flags: (TableFlags::SYSTEM | TableFlags::FIXED_SCHEMA).bits(),
        pages_or_locale: pages,
        root_flag: Some(true),
        name,
        ..CatalogRow::default()
    }
}

/// The row of one of the catalog's own columns.
pub(super) fn column_row(
    tree: TreeRoot,
    id: u16,
    name: Vec<u8>,
    kind: ColumnKind,
    size: u32,
    not_null: bool,
) -> CatalogRow {
    let flags = if not_null { ColumnFlags::NOT_NULL } else { ColumnFlags::empty() };
    CatalogRow {
        table: tree.object,
        kind: CatalogRowKind::COLUMN,
        id: u32::from(id),
        type_or_root: u32::from(kind.0),
        space_usage: size,
        flags: flags.bits(),
        pages_or_locale: CATALOG_CODE_PAGE,
        // The same for all: the engine knows the places without the catalog.
        record_offset: (id < 128).then_some(4),
        name,
        ..CatalogRow::default()
    }
}
