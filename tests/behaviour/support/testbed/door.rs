//! The web process in a testbed, asked from outside.

use std::{fs, net::TcpStream, os::unix::net::UnixStream, thread};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{
    super::{headspace::PATIENCE, web},
    Testbed,
};

impl Testbed {
    /// Connects to the page's port in the testbed's own network.
    pub fn connect(&self) -> TcpStream {
        let path = format!("/proc/{}/ns/net", self.init);
        let network = fs::File::open(path).expect("the testbed is up");
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                // Only this thread goes there; the connection belongs to where it was made.
                let kind = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), kind)
                    .expect("entered");
                web::connect(5055)
            });
            inside.join().expect("connected")
        })
    }

    pub fn connect_by_socket(&self) -> UnixStream {
        self.connect_to("/run/headspace/web.sock")
    }

    pub fn connect_to(&self, socket: &str) -> UnixStream {
        let stream = UnixStream::connect(self.path(socket)).expect("the unix socket is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    pub fn get(&self, path: &str) -> web::Answer {
        web::ask(self.connect(), web::request(path, 5055, &[]).as_bytes())
    }

    pub fn post(&self, path: &str, json: &str) -> web::Answer {
        let kind = ["Content-Type: application/json"];
        let request = web::post(path, "localhost:5055", &kind, json);
        web::ask(self.connect(), request.as_bytes())
    }

    pub fn get_by_socket(&self, path: &str) -> web::Answer {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        web::ask(self.connect_by_socket(), request.as_bytes())
    }
}
