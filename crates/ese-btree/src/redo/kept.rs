//! What changes overwrite and a roll back would need: taken from the page in front of the change, put into the version
//! that waits for it.

use ese_log::record::{SessionId, VersionId};

use super::Redo;
use super::version::VersionBytes;
use crate::page_edit::NodeRef;

/// Bookmarks and before-images of some versions.
#[derive(Debug, Default)]
pub(super) struct KeptBytes {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    session: SessionId,
    version: VersionId,
    /// Ends in `bytes`: of the key, of the bookmark's data, of the before-image.
    key_end: usize,
    data_end: usize,
    end: usize,
}

impl KeptBytes {
    /// Keeps the key of `node`, the data part of its bookmark, and a before-image.
    pub(super) fn keep(
        &mut self,
        session: SessionId,
        version: VersionId,
        node: &NodeRef<'_>,
        data: &[u8],
        before: &[u8],
    ) {
        node.push_key(&mut self.bytes);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(data);
        let data_end = self.bytes.len();
        self.bytes.extend_from_slice(before);
        self.entries.push(Entry { session, version, key_end, data_end, end: self.bytes.len() });
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    fn iter(&self) -> impl Iterator<Item = (SessionId, VersionId, VersionBytes<'_>)> {
        let mut start = 0;
        let part = |range| self.bytes.get(range).unwrap_or_default();
        self.entries.iter().map(move |entry| {
            let bytes = VersionBytes {
                key: [part(start..entry.key_end), &[]],
                data: part(entry.key_end..entry.data_end),
                before: part(entry.data_end..entry.end),
            };
            start = entry.end;
            (entry.session, entry.version, bytes)
        })
    }
}

impl Redo {
    /// Puts what was kept into the versions that still wait for it. The others are of transactions that have ended.
    pub(super) fn fill_versions(&mut self, kept: &mut KeptBytes) {
        for (session, version, bytes) in kept.iter() {
            self.sessions.get(session).versions.fill(version, bytes);
        }
        kept.clear();
    }
}
