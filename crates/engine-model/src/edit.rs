//! Changes of a part of a long value.

/// What happens to a body.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Append(Vec<u8>),
    /// From an offset on, which is not behind the end.
    Overwrite(usize, Vec<u8>),
    /// Cut, or filled with zeros.
    Size(usize),
}

impl Edit {
    /// The body afterwards.
    pub(crate) fn apply(&self, body: Option<&[u8]>) -> Vec<u8> {
        let mut body = body.unwrap_or_default().to_vec();
        match self {
            Self::Append(data) => body.extend_from_slice(data),
            Self::Overwrite(offset, data) => {
                let kept = body.split_off((*offset).min(body.len()));
                body.extend_from_slice(data);
                body.extend_from_slice(kept.get(data.len()..).unwrap_or_default());
            }
            Self::Size(size) => body.resize(*size, 0),
        }
        body
    }
}
