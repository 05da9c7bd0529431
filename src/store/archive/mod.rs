//! The archive's rows: written with what was read, merged later, read again when its file
//! is gone. The SQL of both databases stands here.

pub mod again;
pub mod keep;
pub mod merge;
