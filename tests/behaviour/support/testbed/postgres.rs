//! A PostgreSQL server in a testbed, which is its unit `postgresql.service`.

use super::{ACCOUNT, Testbed};

const DATABASE: &str = "headspace";
const UNIT: &str = "postgresql.service";

pub struct Postgres<'a> {
    testbed: &'a Testbed,
}

impl Testbed {
    /// Makes a server; it is not started yet. Its sockets tell it who connects,
    /// and over TCP it believes what it is told.
    pub fn postgres(&self) -> Postgres<'_> {
        let bin = self.sh("ls -d /usr/lib/postgresql/*/bin | tail -n 1");
        self.sh(&format!(
            "rm -rf /etc/postgresql # the machine's own servers
             install -d -o postgres /var/lib/pg /run/postgresql
             runuser -u postgres -- {bin}/initdb --no-sync --encoding=UTF8 --locale=C \
                 --auth-local=peer --auth-host=trust -D /var/lib/pg/data"
        ));
        let unit = format!(
            "[Service]\nType=notify\nUser=postgres\nKillMode=mixed\nKillSignal=SIGINT\n\
             ExecStart={bin}/postgres -D /var/lib/pg/data -k /run/postgresql \
             -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=16MB\n"
        );
        self.write(&format!("/etc/systemd/system/{UNIT}"), unit);
        self.systemctl(&["daemon-reload"]);
        Postgres { testbed: self }
    }
}

impl Postgres<'_> {
    /// From the next start of a service on it uses this server, as its own user.
    pub fn use_by_socket(&self) {
        self.use_at("localhost", "?host=/run/postgresql");
    }

    pub fn use_by_tcp(&self) {
        self.use_at("127.0.0.1", "");
    }

    fn use_at(&self, host: &str, options: &str) {
        let url = format!("postgres://{ACCOUNT}@{host}/{DATABASE}{options}");
        let settings = format!("database: {{url: \"{url}\"}}\n");
        self.testbed.write("/etc/headspace/config.yaml", settings);
    }

    /// Starts it; the first time it gets its role and its database.
    pub fn start(&self) {
        self.start_empty();
        let roles = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{ACCOUNT}'");
        if self.sql("postgres", &roles) == "0" {
            self.sql("postgres", &format!("CREATE ROLE {ACCOUNT} LOGIN"));
            self.sql(
                "postgres",
                &format!("CREATE DATABASE {DATABASE} OWNER {ACCOUNT}"),
            );
        }
    }

    /// Starts it, as it is on a new machine.
    pub fn start_empty(&self) {
        self.testbed.systemctl(&["start", UNIT]);
    }

    /// It is there, and does not answer.
    pub fn freeze(&self) {
        self.testbed.systemctl(&["kill", "--signal=STOP", UNIT]);
    }

    pub fn thaw(&self) {
        self.testbed.systemctl(&["kill", "--signal=CONT", UNIT]);
    }

    /// How many turns are stored; none, while there is no table.
    pub fn turns(&self) -> usize {
        let there = "SELECT to_regclass('events') IS NOT NULL";
        if self.sql(DATABASE, there) == "f" {
            return 0;
        }
        let count = "SELECT count(*) FROM events WHERE event_type = 'turn_detected'";
        self.sql(DATABASE, count).parse().expect("a number")
    }

    /// As its superuser.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let psql = "runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -h /run/postgresql";
        self.testbed
            .sh(&format!("cd /; {psql} -d {database} -c \"{sql}\""))
    }

    pub fn assert_clean(&self) {
        let url = format!("postgres://{ACCOUNT}@127.0.0.1/{DATABASE}");
        self.testbed.assert_clean_at(&url);
    }
}
