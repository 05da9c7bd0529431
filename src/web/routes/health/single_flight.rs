//! One question at a time, however many clients ask, and its answer for all.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tokio::sync::watch;

/// The last answer and when it came.
pub struct SingleFlight<T> {
    asking: AtomicBool,
    answers: watch::Sender<Option<(Instant, T)>>,
}

impl<T> Default for SingleFlight<T> {
    fn default() -> SingleFlight<T> {
        SingleFlight {
            asking: AtomicBool::new(false),
            answers: watch::Sender::new(None),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    /// Asks, unless a question is under way, and says whether it did. The question
    /// goes on when its client has given up; the next client gets the answer.
    pub fn ask(self: &Arc<Self>, question: impl Future<Output = T> + Send + 'static) -> bool {
        if self.asking.swap(true, Ordering::AcqRel) {
            return false;
        }
        let flight = self.clone();
        tokio::spawn(async move {
            let answer = question.await;
            flight.asking.store(false, Ordering::Release);
            flight.answers.send_replace(Some((Instant::now(), answer)));
        });
        true
    }

    pub fn latest(&self) -> Option<(Instant, T)> {
        self.answers.borrow().clone()
    }

    /// Subscribed before the question is asked, it misses no answer.
    pub fn subscribe(&self) -> watch::Receiver<Option<(Instant, T)>> {
        self.answers.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn one_question_is_under_way_and_its_answer_is_for_all() {
        let flight = Arc::new(SingleFlight::default());
        let (answer, question) = oneshot::channel();
        let mut clients = [flight.subscribe(), flight.subscribe()];
        assert!(flight.ask(async { question.await.unwrap() }));
        assert!(!flight.ask(async { unreachable!("one is under way") }));
        assert!(flight.latest().is_none());
        answer.send(7).unwrap();
        for client in &mut clients {
            client.changed().await.unwrap();
            assert_eq!(client.borrow().unwrap().1, 7);
        }
        assert!(flight.ask(async { 8 }), "the first is answered");
    }
}
