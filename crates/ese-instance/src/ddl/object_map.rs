//! MSysObjids: which table an object id belongs to.

use ese_btree::live::{LiveError, Tree};
use ese_format::{
    ColumnId, ColumnKind, KeyBuilder, KeyRules, ObjectId, PageSize, RecordContent, SegmentKind,
    TaggedContent, TaggedValue,
};

use crate::catalog::CatalogRowKind;
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::session::SessionCallGuard;

/// Name of the table.
pub(crate) const OBJECTS_TABLE: &str = "MSysObjids";

fn key(object: ObjectId) -> Result<Vec<u8>, InstanceError> {
    let mut builder = KeyBuilder::new(&KeyRules::DEFAULT, Vec::new());
    let kind = SegmentKind { kind: ColumnKind::LONG, code_page: 0, fixed: false };
    builder
        .push(kind, false, Some(&object.0.to_le_bytes()))
        .map_err(|_| InstanceError::Unsupported { what: "a number without a key" })?;
    Ok(builder.finish().0)
}

fn record(
    object: ObjectId,
    table: ObjectId,
    kind: CatalogRowKind,
    page_size: PageSize,
) -> Result<Vec<u8>, InstanceError> {
    let (object, table, kind) = (object.0.to_le_bytes(), table.0.to_le_bytes(), kind.0.to_le_bytes());
    let values: [&[u8]; 3] = [&object, &table, &kind];
    let content = RecordContent {
        fixed: Vec::new(),
        variable: Vec::new(),
        tagged: (*ColumnId::TAGGED.start()..)
            .zip(values)
            .map(|(id, value)| TaggedContent {
                id: ColumnId(id),
                from_template: false,
                long_value: false,
                values: vec![TaggedValue::Plain(value)],
            })
            .collect(),
    };
    content.encode(page_size).map_err(|error| InstanceError::Definition(error.into()))
}

fn tree(call: &mut SessionCallGuard<'_>, database: &AttachedDatabase) -> Result<Option<Tree>, InstanceError> {
    // Older databases have none, and do without.
    Ok(call.schema(database, OBJECTS_TABLE)?.map(|schema| schema.tree))
}

/// Adds an object.
///
/// # Errors
/// `Live`.
pub(crate) fn add_object(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    object: ObjectId,
    table: ObjectId,
    kind: CatalogRowKind,
) -> Result<(), InstanceError> {
    let Some(tree) = tree(call, database)? else { return Ok(()) };
    let (key, record) = (key(object)?, record(object, table, kind, database.page_size())?);
    call.nested(|call| {
        let (live, state) = call.parts()?;
        Ok(live.insert(state, &tree, &key, &record)?)
    })
}

/// Takes an object out.
///
/// # Errors
/// `Live`.
pub(crate) fn remove_object(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    object: ObjectId,
) -> Result<(), InstanceError> {
    let Some(tree) = tree(call, database)? else { return Ok(()) };
    let key = key(object)?;
    call.nested(|call| {
        let (live, state) = call.parts()?;
        match live.delete(state, &tree, &key, &[]) {
            Err(LiveError::KeyMissing { .. }) => Ok(()),
            outcome => Ok(outcome?),
        }
    })
}
