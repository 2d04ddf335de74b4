//! Criterion benches; see the files in `benches/`.
