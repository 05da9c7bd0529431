//! What a text's last words mean, from lists of words: no network, no model.
//!
//! In: a text for the human, or its end.
//! Out: [`Words`]: the last sentence, and whether it asks, announces or reports.
//!
//! Only the end of a text is looked at, and of that only what is said, not what is
//! quoted: code and comments are left out. In this order:
//!
//! 1. it ends in a colon, so more follows: it announces;
//! 2. its last sentence is a question, or the last lines ask a person for something
//!    (`[asks]`), or list the answers to a question: it asks. Not if it only offers
//!    more help (`[asks nothing]`);
//! 3. a clause of its last sentence begins as steps do that are about to be taken
//!    (`[announces]`, without `[announces nothing]`): it announces;
//! 4. else it reports.
//!
//! The lists are files, one a language; a text is held against all of them.

mod lists;
mod sentence;

use crate::event::{Meaning, Words};

use lists::{ANNOUNCING, ASKS, ASKS_NOTHING, PERSON, is_edge};
use sentence::{Closing, clauses};

/// The longest last words that are kept.
const MAX_CHARS: usize = 200;

/// What the end of a text means, with its last sentence.
pub fn of(text: &str) -> Words {
    let closing = Closing::of(text);
    let last = closing.last().to_owned();
    let mean = if text.trim_end().ends_with([':', '：']) {
        Meaning::Announces
    } else if asks(&closing) {
        Meaning::Asks
    } else if announces(&closing) {
        Meaning::Announces
    } else {
        Meaning::Reports
    };
    let end = last.char_indices().nth(MAX_CHARS);
    let last = last[..end.map_or(last.len(), |(at, _)| at)].to_owned();
    Words { mean, last }
}

fn asks(closing: &Closing) -> bool {
    let sentences = closing.sentences();
    let of_no_use = |sentence: &str| ASKS_NOTHING.stand_in(sentence);
    let is_question = |sentence: &str| sentence.ends_with(['?', '？']);
    let last = closing.last_plain();
    if of_no_use(last) {
        return false;
    }
    if is_question(last) {
        return true;
    }
    // A question and then what can be answered to it.
    if let Some(lead) = closing.lead_of_list() {
        let asked = is_question(lead) || (lead.ends_with([':', '：']) && ASKS.stand_in(lead));
        if asked && !of_no_use(lead) {
            return true;
        }
    }
    let near_end = sentences.iter().rev().take(3);
    let mut to_person = near_end.filter(|sentence| !of_no_use(sentence));
    to_person.any(|sentence| {
        ASKS.stand_in(sentence) || (is_question(sentence) && PERSON.stand_in(sentence))
    })
}

fn announces(closing: &Closing) -> bool {
    clauses(closing.last_plain()).any(|clause| {
        let begins = |phrases: &[String]| phrases.iter().any(|phrase| begins_with(clause, phrase));
        ANNOUNCING.iter().any(|list| {
            if list.by_ending {
                let within = |phrases: &[String]| {
                    let clause = clause.trim_end_matches(['。', '.', '！', '!']);
                    phrases
                        .iter()
                        .any(|phrase| clause.ends_with(phrase.as_str()))
                };
                within(&list.announces) && !within(&list.announces_nothing)
            } else {
                begins(&list.announces) && !begins(&list.announces_nothing)
            }
        })
    })
}

fn begins_with(clause: &str, phrase: &str) -> bool {
    clause
        .strip_prefix(phrase)
        .is_some_and(|rest| is_edge(phrase.chars().next_back(), rest.chars().next()))
}

#[cfg(test)]
mod tests;
