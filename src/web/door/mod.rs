//! Between a socket and a request: connections, users, limits, the shutdown.
//!
//! In: bound or inherited sockets, and the routes.
//! Out: requests of clients that may ask, each with its [`Client`].
//!
//! ```text
//! listen ─▶ accept ─▶ connection (limits, stall, explain) ─▶ peer ─▶ guard ─▶ route ─▶ streaming
//!             └─── server: what connections share ─── shutdown
//! ```
//!
//! Not here: what a route answers.

mod accept;
mod connection;
mod explain;
pub mod guard;
mod limits;
mod listen;
mod peer;
mod server;
mod shutdown;
#[cfg(target_os = "linux")]
mod sock_diag;
mod stall;
mod streaming;
mod unavailable;

pub use connection::Client;
pub use guard::Hosts;
pub use listen::{Listener, bind_tcp, bind_unix};
pub use peer::Peer;
pub use server::serve;
pub use streaming::IsStream;
pub use unavailable::answer_unavailable;
