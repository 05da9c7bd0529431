//! Who comes in, and until when: sockets, connections, limits, the shutdown.
//!
//! In: bound or inherited sockets, and the routes.
//! Out: requests of clients that may ask, each with its [`Client`].
//!
//! ```text
//! listen → server (accept, room, drain) → connection (limits, stalls) → peer → guard → route
//! ```
//!
//! Not here: what a route answers.

mod connection;
mod explain;
pub mod guard;
mod listen;
mod peer;
mod server;
#[cfg(target_os = "linux")]
mod sock_diag;
mod stall;
mod unavailable;

pub use connection::Client;
pub use guard::Hosts;
pub use listen::{Listener, bind_tcp, bind_unix};
pub use peer::Peer;
pub use server::serve;
pub use unavailable::answer_unavailable;
