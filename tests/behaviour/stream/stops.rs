//! When the web process stops, every stream ends with `event: close`, in time.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    stream::Stream,
    talk::stored,
    web::Web,
};

on_both! {
    fn fifty_readers_get_close_and_the_process_is_out_in_time(kind: Kind) {
        let headspace = Headspace::on(kind);
        let head = stored(&headspace, "close", 1);
        let mut web = Web::start(&headspace);
        let streams: Vec<Stream> = (0..50).map(|_| Stream::after(web.port, head)).collect();
        let begun = Instant::now();
        web.process.signal(Signal::TERM);
        thread::scope(|scope| {
            for mut stream in streams {
                scope.spawn(move || {
                    let close = stream.next_frame();
                    assert_eq!(close.event(), "close");
                    // It moves no cursor.
                    assert_eq!(close.field("id"), None);
                    assert!(close.data()["reason"].is_string());
                    assert_eq!(stream.next_within(Duration::from_secs(5)), None);
                    assert!(stream.has_ended());
                });
            }
        });
        let status = web.process.wait();
        let took = begun.elapsed();
        eprintln!("out after {took:?}");
        assert_eq!(status.code(), Some(0));
        assert!(took <= Duration::from_secs(2), "{took:?}");
        assert!(!web.socket.exists(), "its socket is gone");
    }
}
