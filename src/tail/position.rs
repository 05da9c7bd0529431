/// A place in a file, and the content that leads up to it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Position {
    pub offset: u64,
    /// Recognises the bytes before `offset`; empty at the start of a file.
    pub identity: String,
}
