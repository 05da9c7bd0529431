//! axe-core, which finds what keeps people from reading and using a page. It is fetched
//! by npm, once, and is the package that is named here to the byte.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::LazyLock,
};

use serde_json::Value;
use sha2::{Digest, Sha512};

use super::chromium::Tab;

const PACKAGE: &str = "axe-core@4.14.1";
const FILE: &str = "axe-core-4.14.1.tgz";
const SHA512: &str = "1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5";

/// The script, as one text.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let package = folder.join(FILE);
    if !package.exists() {
        let fetched = Command::new("npm")
            .args(["pack", PACKAGE, "--silent", "--pack-destination"])
            .arg(folder)
            .stdin(Stdio::null())
            .output();
        let fetched = fetched.expect("npm is missing: install the Debian package npm");
        let errors = String::from_utf8_lossy(&fetched.stderr);
        assert!(
            fetched.status.success(),
            "npm cannot fetch {PACKAGE}: {errors}"
        );
    }
    let bytes = fs::read(&package).expect("the package");
    let digest: String = Sha512::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(digest, SHA512, "{} is another package", package.display());
    let script = Command::new("tar")
        .args(["-xzOf", &package.to_string_lossy(), "package/axe.min.js"])
        .output()
        .expect("tar");
    String::from_utf8(script.stdout).expect("a script")
});

/// What axe finds on the page as it is now: the rule and where.
pub fn violations(tab: &mut Tab) -> Vec<String> {
    if tab.evaluate("typeof axe") != "object" {
        tab.evaluate(&format!("{}; 0", *AXE));
    }
    let found = tab.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then(({violations}) => \
         violations.flatMap(({id, nodes}) => nodes.map(({target, failureSummary}) => \
         id + ' at ' + target.join(' ') + ': ' + failureSummary.replace(/\\s+/g, ' ').slice(0, 300))))",
    );
    match found {
        Value::Array(all) => all.iter().map(|one| one.to_string()).collect(),
        other => panic!("axe said {other}"),
    }
}
