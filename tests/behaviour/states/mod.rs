//! What a session's state is, held against what a person would say.

mod labels;
mod replay;
