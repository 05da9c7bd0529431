use headspace::{capture::*, store::*};
use std::time::Duration;
#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let database = if args[2].starts_with("postgres") {
        Database::Postgres(args[2].clone())
    } else {
        Database::Sqlite(args[2].clone().into())
    };
    let options = Options {
        roots: vec![args[1].clone().into()],
        max_line_bytes: 64 << 20,
        inactivity_timeout: Duration::from_secs(5400),
        reconcile_interval: Duration::from_secs(60),
        schedule: Schedule {
            attempts: 3,
            delay: Duration::from_millis(100),
        },
        once: true,
        state_dir: "x".into(),
        wake: Box::new(|| {}),
    };
    let mut c = Capture::new(options, Writer::new(database, "host".into()));
    let r = c.run_once(&Default::default(), |_| {}).await;
    println!("{r:?} {:?}", c.status());
}
