//! Catalog rows as records and keys: the inverse of decoding.

use ese_format::{
    ColumnId, ColumnKind, FixedSlot, KeyBuilder, KeyError, KeyRules, PageSize, RecordContent,
    RecordEncodeError, SegmentKind, TaggedContent, TaggedValue,
};

use super::CatalogRow;

/// Sizes of the fixed columns of MSysObjects.
const FIXED_SIZES: [usize; 13] = [4, 2, 4, 4, 4, 4, 4, 1, 2, 4, 2, 4, 8];

impl CatalogRow {
    /// The row's record. Fixed and variable columns end with the last one that has a value, as the engine writes them.
    ///
    /// # Errors
    /// When the row has more bytes than a record can.
    pub fn encode(&self, page_size: PageSize) -> Result<Vec<u8>, RecordEncodeError> {
        let long = |value: u32| Some(value.to_le_bytes().to_vec());
        let short = |value: u16| value.to_le_bytes().to_vec();
        let fixed: [Option<Vec<u8>>; 13] = [
            long(self.table.0),
            Some(short(self.kind.0)),
            long(self.id),
            long(self.type_or_root),
            long(self.space_usage),
            long(self.flags),
            long(self.pages_or_locale),
            self.root_flag.map(|flag| vec![if flag { 0xFF } else { 0 }]),
            self.record_offset.map(short),
            self.normalization_flags.and_then(long),
            self.key_most.map(short),
            self.chunk_size.and_then(long),
            self.root_set_time.map(|time| time.to_le_bytes().to_vec()),
        ];
        let segment_most = self.segment_most.map(short);
        let variable: [Option<&[u8]>; 10] = [
            Some(&self.name),
            None,
            self.template.as_deref(),
            self.default_value.as_deref(),
            self.segments.as_deref(),
            segment_most.as_deref(),
            self.conditions.as_deref(),
            self.tuple_limits.as_deref(),
            self.sort_version.as_deref(),
            self.sort_id.as_deref(),
        ];
        let threshold = self.separation_threshold.map(u32::to_le_bytes);
        let tagged = [
            (256, self.callback_data.as_deref()),
            (257, self.callback_dependencies.as_deref()),
            (258, threshold.as_ref().map(|bytes| &bytes[..])),
            (259, self.space_hints.as_deref()),
            (260, self.long_value_hints.as_deref()),
            (261, self.locale_name.as_deref()),
        ];
        let slots = fixed.iter().zip(FIXED_SIZES).map(|(v, size)| FixedSlot { size, value: v.as_deref() });
        let last_fixed = fixed.iter().rposition(Option::is_some).map_or(0, |i| i + 1);
        let last_variable = variable.iter().rposition(Option::is_some).map_or(0, |i| i + 1);
        let content = RecordContent {
            fixed: slots.take(last_fixed).collect(),
            variable: variable.iter().copied().take(last_variable).collect(),
            tagged: tagged
                .iter()
                .filter_map(|&(id, value)| {
                    Some(TaggedContent {
                        id: ColumnId(id),
                        from_template: false,
                        long_value: true,
                        values: vec![TaggedValue::Plain(value?)],
                    })
                })
                .collect(),
        };
        content.encode(page_size)
    }

    /// Key of the row in the catalog: table, kind, id.
    ///
    /// # Errors
    /// None in fact: numbers always have keys.
    pub fn key(&self) -> Result<Vec<u8>, KeyError> {
        let (table, kind, id) =
            (self.table.0.to_le_bytes(), self.kind.0.to_le_bytes(), self.id.to_le_bytes());
        key_of(&[(ColumnKind::LONG, &table), (ColumnKind::SHORT, &kind), (ColumnKind::LONG, &id)])
    }

    /// Key of the row in the index `Name`: table, kind, name.
    ///
    /// # Errors
    /// None in fact.
    pub fn name_key(&self) -> Result<Vec<u8>, KeyError> {
        let (table, kind) = (self.table.0.to_le_bytes(), self.kind.0.to_le_bytes());
        key_of(&[(ColumnKind::LONG, &table), (ColumnKind::SHORT, &kind), (ColumnKind::TEXT, &self.name)])
    }

    /// Key of the row in the index `RootObjects`; `None` for a row that is not a table's.
    ///
    /// # Errors
    /// None in fact.
    pub fn root_key(&self) -> Result<Option<Vec<u8>>, KeyError> {
        match self.root_flag {
            Some(true) => key_of(&[(ColumnKind::BIT, &[0xFF]), (ColumnKind::TEXT, &self.name)]).map(Some),
            _ => Ok(None),
        }
    }
}

fn key_of(segments: &[(ColumnKind, &[u8])]) -> Result<Vec<u8>, KeyError> {
    let mut builder = KeyBuilder::new(&KeyRules::DEFAULT, Vec::new());
    for &(kind, value) in segments {
        builder.push(SegmentKind { kind, code_page: 1252, fixed: false }, false, Some(value))?;
    }
    Ok(builder.finish().0)
}
