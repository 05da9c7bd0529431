//! The Homebrew formula: read by Ruby, with Homebrew's words written down.
//! Homebrew itself runs on a Mac.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::packages::VERSION;

/// Writes down what the formula says of itself.
const READ: &str = r##"
require "json"
$said = {}
class Formula
  def self.method_missing(word, *values, **named, &block)
    $said[word] = named.empty? ? values.first : named
    Service.new.instance_eval(&block) if word == :service
  end
  def self.test; end
end
class Service
  def method_missing(word, *values, **named)
    $said["service_#{word}"] = named.empty? ? values.first : named
  end
  def opt_bin = Place.new("opt_bin")
  def var = Place.new("var")
end
Place = Struct.new(:path) do
  def /(name) = Place.new("#{path}/#{name}")
  def to_json(*) = path.to_json
end
load ARGV.fetch(0)
puts JSON.generate($said)
"##;

#[test]
fn it_says_what_it_is_and_how_it_runs() {
    let output = read(&[
        ("HOMEBREW_HEADSPACE_ARCHIVE", "/tmp/headspace.tar.gz"),
        ("HOMEBREW_HEADSPACE_SHA256", "00ff"),
    ]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(said["version"], VERSION);
    assert_eq!(said["url"], "file:///tmp/headspace.tar.gz");
    assert_eq!(said["sha256"], "00ff");
    assert_eq!(said["license"], "Apache-2.0");
    assert_eq!(
        said["service_run"],
        serde_json::json!(["opt_bin/headspace", "up"])
    );
    assert_eq!(said["service_keep_alive"]["successful_exit"], false);
    assert_eq!(said["service_log_path"], "var/log/headspace.log");
}

#[test]
fn it_names_no_home_of_its_own_and_says_what_to_set() {
    for (known, missing) in [
        (&[][..], "HOMEBREW_HEADSPACE_ARCHIVE"),
        (
            &[("HOMEBREW_HEADSPACE_ARCHIVE", "/tmp/a.tar.gz")][..],
            "HOMEBREW_HEADSPACE_SHA256",
        ),
    ] {
        let output = read(known);
        assert!(!output.status.success());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(&format!("set {missing}")), "{errors}");
    }
}

fn read(environment: &[(&str, &str)]) -> Output {
    let formula = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/packaging/homebrew/headspace.rb"
    );
    let mut command = Command::new("ruby");
    command
        .args(["-w", "-e", READ, formula])
        .env_remove("HOMEBREW_HEADSPACE_ARCHIVE")
        .env_remove("HOMEBREW_HEADSPACE_SHA256")
        .envs(environment.iter().copied());
    command.output().expect("ruby; tests/run installs it")
}
