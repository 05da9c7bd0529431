//! Transcripts become events, each once, whatever happens meanwhile.

mod again;
mod ahead;
mod bad_lines;
mod crash_points;
mod deleted;
mod forked;
mod hints;
mod huge_lines;
mod keys;
mod killed;
mod odd_files;
mod partial_line;
mod permissions;
mod real_input;
mod registered;
mod renamed;
mod rewritten;
mod sequences;
mod sessions;
mod tokens;
mod truncated;
mod two_watchers;
mod upgraded;
mod work;
