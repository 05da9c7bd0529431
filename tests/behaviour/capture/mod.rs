//! Transcripts become events, each once, whatever happens meanwhile.

mod killed;
mod model;
mod partial_line;
mod real_input;
