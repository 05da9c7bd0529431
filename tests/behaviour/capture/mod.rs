//! Transcripts become events, each once, whatever happens meanwhile.

mod killed;
mod partial_line;
mod real_input;
