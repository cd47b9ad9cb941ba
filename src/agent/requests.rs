//! HTTP requests under way. Each gives one answer, also when its task panics: the core waits for it.

use crate::core::event::{FailureKind, HttpAnswer, HttpFailure, Token};
use crate::order::said::Said;
use std::collections::HashMap;
use std::future::Future;
use tokio::task::JoinSet;

/// The requests and whose answers they bring.
#[derive(Default)]
pub(super) struct Requests {
    tasks: JoinSet<Result<HttpAnswer, HttpFailure>>,
    tokens: HashMap<tokio::task::Id, Token>,
}

impl Requests {
    pub(super) fn begin(
        &mut self,
        token: Token,
        answer: impl Future<Output = Result<HttpAnswer, HttpFailure>> + 'static,
    ) {
        let id = self.tasks.spawn_local(answer).id();
        self.tokens.insert(id, token);
    }

    /// The next answer; nothing while no request is under way.
    pub(super) async fn next(&mut self) -> Option<(Token, Result<HttpAnswer, HttpFailure>)> {
        let (id, answer) = match self.tasks.join_next_with_id().await? {
            Ok(answered) => answered,
            Err(error) => {
                let zh = if error.is_panic() { "请求任务崩溃" } else { "请求任务被取消" };
                let why = Said::new(format!("the request's task failed: {error}"), zh);
                (error.id(), Err(HttpFailure { kind: FailureKind::NoAnswer, why }))
            }
        };
        Some((self.tokens.remove(&id)?, answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::LocalSet;

    #[test]
    fn a_request_that_panics_is_answered_like_one_that_nobody_heard() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let mut requests = Requests::default();
            requests.begin(Token(7), async { panic!("a defect") });
            let (token, answer) = requests.next().await.unwrap();
            assert_eq!((token, answer.map_err(|failure| failure.kind)), (Token(7), Err(FailureKind::NoAnswer)));
            assert_eq!(requests.next().await, None);
        });
    }
}
