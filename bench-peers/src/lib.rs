//! The engine beside other embedded stores: same rows, same durability, same run.
//!
//! A row has a 64-bit key and 100 bytes. "Durable" means that a commit returns when the row survives a loss of power:
//! redb with immediate durability, SQLite in WAL mode with `synchronous=FULL`, the engine with its default commit.

pub mod ese_store;
pub mod redb_store;
pub mod sqlite_store;

/// Whatever a store reports; benches only print it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
/// Result of a store's call.
pub type Result<T> = std::result::Result<T, Failure>;

/// Bytes of a row beside its key.
pub const ROW_LEN: usize = 100;

/// The bytes of row `key`: different for each, and not compressible to nothing.
#[must_use]
pub fn row(key: u64) -> [u8; ROW_LEN] {
    let mut state = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = [0; ROW_LEN];
    for byte in &mut bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state.to_le_bytes()[0];
    }
    bytes
}

/// A store with one table of rows, usable from several threads.
pub trait Store: Sync {
    /// Inserts rows `keys` in transactions of one row each, every one durable.
    ///
    /// # Errors
    /// What the store answers.
    fn insert_durably(&self, keys: &[u64]) -> Result<()>;

    /// Inserts rows `keys` in one durable transaction.
    ///
    /// # Errors
    /// What the store answers.
    fn insert_bulk(&self, keys: std::ops::Range<u64>) -> Result<()>;

    /// Reads the rows `keys` one by one; how many bytes they have in all.
    ///
    /// # Errors
    /// What the store answers; a missing row is an error.
    fn read(&self, keys: &[u64]) -> Result<u64>;

    /// Reads every row in the order of keys; how many bytes they have in all.
    ///
    /// # Errors
    /// What the store answers.
    fn scan(&self) -> Result<u64>;

    /// Closes the store, so that its file has everything, and opens it again.
    ///
    /// # Errors
    /// What the store answers.
    fn reopen(self: Box<Self>) -> Result<Box<dyn Store>>;
}
