//! Which user may read, as the shipped service sees it from within its sandbox.

use crate::support::testbed::{SOCKET, Testbed, WATCHER};

/// Prints the status that an answer has.
const ASK: &str = "python3 -c '
import urllib.error, urllib.request
try: print(urllib.request.urlopen(\"http://127.0.0.1:5055/api/events\").status)
except urllib.error.HTTPError as refused: print(refused.status)
'";

#[test]
fn its_user_and_root_read_by_tcp_and_nobody_else_does() {
    let testbed = Testbed::installed();
    // Once it is ready there are tables to read.
    testbed.systemctl(&["start", WATCHER, SOCKET]);
    assert_eq!(testbed.sh(ASK), "200");
    assert_eq!(testbed.sh_as_account(ASK), "200");
    assert_eq!(testbed.sh(&format!("runuser -u nobody -- {ASK}")), "403");
}
