//! What a session's state is, held against what a person would say.

mod any_order;
mod children;
mod clock;
mod esc;
mod judge;
mod labels;
mod log_alone;
mod nested;
mod recorded;
mod replay;
mod rows;
mod steps;
mod successors;
mod timeline;
