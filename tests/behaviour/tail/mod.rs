//! The tail alone: files in, lines out.

mod model;
