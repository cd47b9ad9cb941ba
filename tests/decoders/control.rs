//! The control socket: requests to the daemon, documents from it.

use super::Script;
use super::http::runtime;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;
use std::fmt::Debug;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use vend::board::service::Reading;
use vend::control::{Ask, Asked, Orders, Place, Refusal, SCHEMA_VERSION, Versioned};
use vend::core::Status;
use vend::io::control::{Peer, converse};

/// Longer than any input.
const PIPE_BYTES: usize = 1 << 21;
/// An answer is a small document, whatever was asked.
const ANSWER_BYTES_MAX: usize = 32 * 1024;
/// What the daemon in this test says to every question.
const DOCUMENT: &[u8] = br#"{"schema_version":1,"here":true}"#;

/// The client is a user who may look and not act.
const OTHERS_UID: u32 = 1_001;
const DAEMON_UID: u32 = 1_000;

/// Any bytes as a client of the socket, and as a document for one.
pub fn control_request(data: &[u8]) {
    let mut script = Script(data);
    let place = Place::ALL[usize::from(script.byte()) % Place::ALL.len()];
    let said = script.rest();
    request(said);
    let line = format!("{} {} HTTP/1.1\r\nhost: x\r\n", place.method(), place.path());
    request(&[line.as_bytes(), said].concat());
    request(&[format!("{line}content-length: {}\r\n\r\n", said.len()).as_bytes(), said].concat());
    questions(said);
    documents(said);
}

fn request(said: &[u8]) {
    let (asked, answer) = runtime().block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(PIPE_BYTES);
        let (sender, mut asks) = mpsc::channel::<Asked>(1);
        let core = async {
            let mut asked = Vec::new();
            while let Some(Asked { ask, answer, .. }) = asks.recv().await {
                asked.push(ask);
                let _ = answer.send(Ok(vend::control::Told::Document(DOCUMENT.to_vec())));
            }
            asked
        };
        let client = async {
            let mut answer = Vec::new();
            let _ = theirs.write_all(said).await;
            let _ = theirs.shutdown().await;
            let _ = theirs.read_to_end(&mut answer).await;
            answer
        };
        let daemon = async {
            let _ = converse(ours, &Peer::new(OTHERS_UID, DAEMON_UID), &sender).await;
            drop(sender);
        };
        let (asked, answer, ()) = tokio::join!(core, client, daemon);
        (asked, answer)
    });
    assert!(asked.len() <= 1, "one request, {} questions", asked.len());
    assert!(answer.len() <= ANSWER_BYTES_MAX, "{} bytes", answer.len());
    for ask in &asked {
        let place = ask.place();
        let is_there = |part: &str| said.windows(part.len()).any(|window| window == part.as_bytes());
        assert!(is_there(place.path()) && is_there(place.method()), "asked for {}", place.path());
        assert!(!matches!(ask, Ask::Service(service) if service.acts()), "{ask:?} by somebody else's hand");
    }
    // A client that wants to be told to go on is told so first.
    let answer = answer.strip_prefix(&b"HTTP/1.1 100 Continue\r\n\r\n"[..]).unwrap_or(&answer);
    let Some(head_end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        // A client that goes away in the middle of a request gets no answer.
        return assert!(answer.is_empty(), "half an answer: {}", String::from_utf8_lossy(answer));
    };
    let (head, body) = (String::from_utf8_lossy(&answer[..head_end]), &answer[head_end + 4..]);
    let status = head.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok());
    assert!(head.starts_with("HTTP/1."), "{head}");
    match status {
        // Of a HEAD request, and of what hyper itself cannot read, there is no body.
        Some(200) => assert!(asked.len() == 1 && body == DOCUMENT, "{head}"),
        Some(400..=599) => {
            let refusal = serde_json::from_slice::<Versioned<Refusal>>(body);
            assert!(body.is_empty() || refusal.is_ok_and(|r| r.schema_version == SCHEMA_VERSION), "{head}");
        }
        other => panic!("{other:?}: {head}"),
    }
}

/// A question that is read, at any place, is written as the same.
fn questions(said: &[u8]) {
    let query = str::from_utf8(said).ok();
    for place in Place::ALL {
        if let Ok(ask) = Ask::read(place, query, said) {
            let bytes = ask.body().expect("a question has a JSON form");
            let path_and_query = ask.path_and_query();
            let query = path_and_query.split_once('?').map(|(_, query)| query);
            assert_eq!(Ask::read(place, query, &bytes), Ok(ask));
        }
    }
}

/// A document that is read is written as the same.
fn documents(said: &[u8]) {
    fn again<T: Serialize + DeserializeOwned + PartialEq + Debug>(said: &[u8]) {
        if let Ok(document) = serde_json::from_slice::<Versioned<T>>(said) {
            let bytes = serde_json::to_vec(&document).expect("a document has a JSON form");
            assert_eq!(serde_json::from_slice::<Versioned<T>>(&bytes).expect("our own document"), document);
            let json: Json = serde_json::from_slice(&bytes).expect("JSON");
            assert_eq!(json["schema_version"], document.schema_version);
        }
    }
    again::<Status>(said);
    again::<Orders>(said);
    again::<Reading>(said);
    again::<Refusal>(said);
}
