//! Transcripts become events, each once, whatever happens meanwhile.

mod killed;
mod model;
mod odd_files;
mod partial_line;
mod real_input;
