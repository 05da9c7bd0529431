//! What the real transcripts cost, counted apart from the bare records.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
};

use serde_json::Value;

use crate::support::{
    headspace::{Headspace, Kind, on_both},
    transcripts::{files, real},
};

on_both! {
    fn a_message_costs_what_its_last_record_says_however_often_it_was_copied(kind: Kind) {
        let mut headspace = Headspace::on(kind);
        headspace.set("HEADSPACE_CLAUDE__ROOTS", format!("[{:?}]", real()));
        headspace.watch_once();
        let stored = headspace.store.column(
            "SELECT sum(input) || ' ' || sum(output) || ' ' || sum(cache_write) || ' ' || sum(cache_read)
             FROM usage",
        );
        let [input, output, written, read] = total(last_of_each_message().into_values());
        assert_eq!(stored, [format!("{input} {output} {written} {read}")]);
    }
}

/// ccusage 17.2.1 (`ccusage daily --offline --json`) gives these totals of the same files. It
/// counts the first record of a message and a request, when a reply has only begun, and each
/// record without a request, also copies. So it sees the same records: the rule alone differs.
#[test]
fn by_the_rule_of_ccusage_the_records_give_what_ccusage_gives() {
    let mut seen = HashSet::new();
    let counted = records().filter(|record| {
        let id = |value: &Value| value.as_str().map(str::to_owned);
        match (id(&record["message"]["id"]), id(&record["requestId"])) {
            (Some(message), Some(request)) => seen.insert((message, request)),
            _ => true,
        }
    });
    let counted = total(counted.map(|record| tokens(&record)));
    assert_eq!(counted, [71_247, 50_188, 1_557_584, 11_063_577]);
}

/// The latest by its time, of those of one time the one with most output.
fn last_of_each_message() -> BTreeMap<String, [u64; 4]> {
    let mut last: BTreeMap<String, (String, [u64; 4])> = BTreeMap::new();
    for record in records() {
        let Some(message) = record["message"]["id"].as_str() else {
            continue;
        };
        let at = record["timestamp"].as_str().unwrap_or_default().to_owned();
        let new = (at, tokens(&record));
        let rank = |(at, tokens): &(String, [u64; 4])| (at.clone(), tokens[1]);
        let known = last
            .entry(message.to_owned())
            .or_insert_with(|| new.clone());
        if rank(&new) >= rank(known) {
            *known = new;
        }
    }
    last.into_iter()
        .map(|(id, (_, tokens))| (id, tokens))
        .collect()
}

/// Every record with a cost, of all files.
fn records() -> impl Iterator<Item = Value> {
    files(&real()).into_iter().flat_map(|name| {
        let bytes = fs::read(real().join(name)).expect("a real file");
        let lines = bytes.split(|byte| *byte == b'\n');
        let records = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let costs = records.filter(|record| record["message"]["usage"]["output_tokens"].is_u64());
        costs.collect::<Vec<_>>()
    })
}

/// Input, output, written to the cache, read from it.
fn tokens(record: &Value) -> [u64; 4] {
    [
        "input_tokens",
        "output_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
    ]
    .map(|name| record["message"]["usage"][name].as_u64().unwrap_or(0))
}

fn total(all: impl Iterator<Item = [u64; 4]>) -> [u64; 4] {
    all.fold([0; 4], |sum, one| {
        std::array::from_fn(|at| sum[at] + one[at])
    })
}
