//! The archive's rows: written with what was read, merged later. The SQL of both
//! databases stands here.

pub mod keep;
pub mod merge;
