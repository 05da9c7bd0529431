//! What a session's state is, held against what a person would say.

mod any_order;
mod children;
mod esc;
mod labels;
mod replay;
mod rows;
mod steps;
mod successors;
mod timeline;
