# headspace has no public home yet, so this formula reads from the environment where
# the source archive is:
#
#   export HOMEBREW_HEADSPACE_ARCHIVE=/path/to/headspace-0.1.0.tar.gz
#   export HOMEBREW_HEADSPACE_SHA256=$(shasum -a 256 "$HOMEBREW_HEADSPACE_ARCHIVE" | cut -d' ' -f1)
class Headspace < Formula
  def self.setting(name, what)
    ENV.fetch(name) { raise "headspace: set #{name} to #{what}; see the head of the formula" }
  end

  desc "Records what coding-agent sessions do and shows it live"
  url "file://#{setting("HOMEBREW_HEADSPACE_ARCHIVE", "the path of the source archive")}"
  version "0.1.0"
  sha256 setting("HOMEBREW_HEADSPACE_SHA256", "the sum of the source archive")
  license "Apache-2.0"

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args
    libexec.install "packaging/run-watcher.sh"
    doc.install "README.md", "CHANGELOG.md", "ARCHITECTURE.md"
    (doc/"examples").install "config/config.yaml"
    man1.mkpath
    system bin/"headspace", "man", "--write", man1
    generate_completions_from_executable(bin/"headspace", "completions", shells: [:bash, :zsh, :fish])
  end

  # One formula has one service: both processes in one, as `headspace up` has
  # them. `headspace install` makes two agents, and launchd holds the port.
  service do
    run [opt_bin/"headspace", "up"]
    keep_alive successful_exit: false
    log_path var/"log/headspace.log"
    error_log_path var/"log/headspace.log"
  end

  def caveats
    <<~TEXT
      Run it in one of two ways, not in both:
        headspace install             two launchd agents: the watcher, and the page
        brew services start headspace   both in one
    TEXT
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/headspace --version")
    system bin/"headspace", "config", "check"
  end
end
