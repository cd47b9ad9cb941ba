//! The pages that the daemon serves: the customer's screen, the technician's page, and what monitors read. Pure: a
//! request comes in, an answer or the questions for the core come out; `io::web` has the socket.
//!
//! The pages ask the core what the tool asks it over the control socket, and nothing else: they have no authority of
//! their own. A customer may see what is sold, choose and cancel; a technician's page only reads, and may have the
//! doctor look.

pub mod access;
pub mod live;
pub mod metrics;
pub mod sale;
pub mod screen;
pub mod texts;

use crate::config::host::Host;
use crate::control::{self, Ask, CurrentSale, DocumentAnswer, Refusal, Slots, Versioned};
use crate::core::{DecisionError, Status};
use crate::order::said::{InChinese as _, said};
use access::{Access, Audience};
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Response, StatusCode, request};
use screen::Screen;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// What a page may load: files of this very listener, and nothing written into the page itself.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);
/// No other site may load what is answered here, not even as a picture.
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

/// A request, its body read.
#[derive(Debug)]
pub struct Asking<'a> {
    /// Method, path and headers.
    pub head: &'a request::Parts,
    /// The body.
    pub body: &'a [u8],
    /// The address that the client reached us at.
    pub reached_at: &'a Host,
}

/// What is to be done with a request.
#[derive(Debug)]
pub enum Decision {
    /// It is answered so.
    Answer(Response<Vec<u8>>),
    /// The core is asked all this, and [`Rendering::of`] makes the answer.
    Ask(Vec<Ask>, Rendering),
    /// The frames that passed after this one, of [`live::Frames`].
    Frames(Option<u64>),
    /// What the doctor found last: [`live::Findings`].
    Findings {
        /// It looks again first.
        look: bool,
    },
}

/// What is made of the core's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendering {
    /// The one document, as it is.
    Document,
    /// What customers see: [`Screen`].
    Screen,
    /// Text for Prometheus.
    Metrics,
    /// Good or not.
    Health,
}

/// One thing that is served.
struct Place {
    path: &'static str,
    method: Method,
    audience: Audience,
    what: What,
}

enum What {
    File(&'static str, &'static str),
    Texts,
    Core(&'static [Ask], Rendering),
    Order,
    Frames,
    Findings,
    Look,
    Choose,
    Cancel,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
/// The text format's own, with its version.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

const fn file(path: &'static str, kind: &'static str, text: &'static str) -> Place {
    // Who has no token yet must be able to load the page that asks for it; files hold nothing of this machine.
    Place { path, method: Method::GET, audience: Audience::Anyone, what: What::File(kind, text) }
}

const fn core(path: &'static str, audience: Audience, asks: &'static [Ask], rendering: Rendering) -> Place {
    Place { path, method: Method::GET, audience, what: What::Core(asks, rendering) }
}

const fn technicians(path: &'static str, method: Method, what: What) -> Place {
    Place { path, method, audience: Audience::Technician, what }
}

/// Everything that is served. What is not in this list does not exist.
static PLACES: [Place; 22] = [
    file("/", HTML, include_str!("assets/screen.html")),
    file("/screen.css", CSS, include_str!("assets/screen.css")),
    file("/screen.js", SCRIPT, include_str!("assets/screen.js")),
    file("/service", HTML, include_str!("assets/service.html")),
    file("/service.css", CSS, include_str!("assets/service.css")),
    file("/service.js", SCRIPT, include_str!("assets/service.js")),
    file("/plots.js", SCRIPT, include_str!("assets/plots.js")),
    file("/watch.js", SCRIPT, include_str!("assets/watch.js")),
    file("/common.js", SCRIPT, include_str!("assets/common.js")),
    Place { path: "/api/texts", method: Method::GET, audience: Audience::Anyone, what: What::Texts },
    core("/api/screen", Audience::Customer, &[Ask::Status, Ask::Slots, Ask::Sale], Rendering::Screen),
    Place { path: "/api/sale", method: Method::POST, audience: Audience::Customer, what: What::Choose },
    Place { path: "/api/sale/cancel", method: Method::POST, audience: Audience::Customer, what: What::Cancel },
    core("/api/status", Audience::Technician, &[Ask::Status], Rendering::Document),
    core("/api/orders", Audience::Technician, &[Ask::Orders], Rendering::Document),
    core("/api/slots", Audience::Technician, &[Ask::Slots], Rendering::Document),
    technicians("/api/order", Method::GET, What::Order),
    technicians("/api/frames", Method::GET, What::Frames),
    technicians("/api/doctor", Method::GET, What::Findings),
    technicians("/api/doctor", Method::POST, What::Look),
    core("/metrics", Audience::Technician, &[Ask::Status], Rendering::Metrics),
    core("/healthz", Audience::Anyone, &[Ask::Status], Rendering::Health),
];

/// What is to be done with a request: refused, answered, or asked of the core.
#[must_use]
pub fn decide(access: &Access, asking: &Asking<'_>) -> Decision {
    if let Err(refused) = access.is_meant_for_us(asking) {
        return Decision::Answer(refuse(refused.status(), &Refusal::said(refused.said())));
    }
    let path = asking.head.uri.path();
    let here = || PLACES.iter().filter(|place| place.path == path);
    let Some(place) = here().find(|place| place.method == asking.head.method) else {
        let methods: Vec<&str> = here().map(|place| place.method.as_str()).collect();
        if methods.is_empty() {
            return Decision::Answer(refuse(
                StatusCode::NOT_FOUND,
                &Refusal::said(said!("nothing is here", "此处没有内容")),
            ));
        }
        let methods = methods.join(", ");
        let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, &Refusal::of(format!("{path} takes {methods} only")));
        if let Ok(methods) = HeaderValue::try_from(methods) {
            response.headers_mut().insert(ALLOW, methods);
        }
        return Decision::Answer(response);
    };
    if !access.admits(place.audience, &asking.head.headers) {
        let error =
            said!("this needs the token: Authorization: Bearer TOKEN", "此处需要口令：Authorization: Bearer TOKEN");
        let mut response = refuse(StatusCode::UNAUTHORIZED, &Refusal::said(error));
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return Decision::Answer(response);
    }
    match &place.what {
        What::File(kind, text) => Decision::Answer(response(StatusCode::OK, kind, text.as_bytes().to_vec())),
        What::Texts => Decision::Answer(json(StatusCode::OK, &Versioned::of(texts::Texts::all()))),
        What::Core(asks, rendering) => Decision::Ask(asks.to_vec(), *rendering),
        What::Order => one(control::Place::Order, asking),
        What::Frames => match after(asking.head.uri.query()) {
            Ok(after) => Decision::Frames(after),
            Err(error) => Decision::Answer(refuse(StatusCode::BAD_REQUEST, &Refusal::of(error))),
        },
        What::Findings => Decision::Findings { look: false },
        What::Look => Decision::Findings { look: true },
        What::Choose => one(control::Place::SaleStart, asking),
        What::Cancel => Decision::Ask(vec![Ask::SaleCancel], Rendering::Document),
    }
}

/// One question of the control socket, as it is asked there.
fn one(place: control::Place, asking: &Asking<'_>) -> Decision {
    match Ask::read(place, asking.head.uri.query(), asking.body) {
        Ok(ask) => Decision::Ask(vec![ask], Rendering::Document),
        Err(error) => Decision::Answer(refuse(StatusCode::BAD_REQUEST, &Refusal::of(error))),
    }
}

/// Reads `?after=N`.
fn after(query: Option<&str>) -> Result<Option<u64>, String> {
    let Some(query) = query else { return Ok(None) };
    let number = query.strip_prefix("after=").and_then(|number| number.parse().ok());
    number.map(Some).ok_or_else(|| "what is asked for is ?after=NUMBER".to_owned())
}

impl Rendering {
    /// The answer to a client, made of the core's answers to the questions of [`decide`], in their order.
    #[must_use]
    pub fn of(self, answers: Vec<DocumentAnswer>) -> Response<Vec<u8>> {
        let documents: Vec<Vec<u8>> = match answers.into_iter().collect() {
            Ok(documents) => documents,
            Err(refusal) => {
                let text = refusal.sale.map(|why| sale::refused(why).key());
                let status = match refusal.decision {
                    Some(DecisionError::NoSuchOrder) => StatusCode::NOT_FOUND,
                    _ => StatusCode::CONFLICT,
                };
                return json(status, &Versioned::of(Refused { refusal, text }));
            }
        };
        let mut documents = documents.into_iter();
        let mut next = || documents.next().unwrap_or_default();
        match self {
            Rendering::Document => document(next()),
            Rendering::Screen => {
                match (read::<Status>(&next()), read::<Slots>(&next()), read::<CurrentSale>(&next())) {
                    (Some(status), Some(slots), Some(current)) => {
                        let screen = Screen::of(&status, &slots.slots, current.sale.as_ref());
                        json(StatusCode::OK, &Versioned::of(screen))
                    }
                    _ => unreadable(),
                }
            }
            Rendering::Metrics => match read::<Status>(&next()) {
                Some(status) => response(StatusCode::OK, PROMETHEUS, metrics::text(&status).into_bytes()),
                None => unreadable(),
            },
            Rendering::Health => match read::<Status>(&next()) {
                Some(status) => {
                    let health = metrics::Health::of(&status);
                    let status =
                        if health == metrics::Health::Good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                    response(status, TEXT, format!("{}\n", health.as_str()).into_bytes())
                }
                None => unreadable(),
            },
        }
    }
}

/// A refusal of the core, with what a buyer reads.
#[derive(Serialize)]
struct Refused {
    #[serde(flatten)]
    refusal: Refusal,
    /// The key of a text.
    text: Option<&'static str>,
}

fn read<T: DeserializeOwned>(document: &[u8]) -> Option<T> {
    serde_json::from_slice(document).ok()
}

/// The core's documents are ours and of this very program; were one not, a page must not take it for an empty machine.
fn unreadable() -> Response<Vec<u8>> {
    refuse(
        StatusCode::INTERNAL_SERVER_ERROR,
        &Refusal::said(said!("the core's answer cannot be read", "核心的应答无法读取")),
    )
}

/// A document of this program as an answer.
#[must_use]
pub fn document(document: Vec<u8>) -> Response<Vec<u8>> {
    response(StatusCode::OK, JSON, document)
}

/// A refusal in the form that the control socket uses.
#[must_use]
pub fn refuse(status: StatusCode, refusal: &Refusal) -> Response<Vec<u8>> {
    json(status, &Versioned::of(refusal))
}

fn json<T: Serialize>(status: StatusCode, document: &T) -> Response<Vec<u8>> {
    // The types have no key or value that JSON lacks.
    response(status, JSON, serde_json::to_vec(document).unwrap_or_default())
}

/// An answer with what every answer carries.
fn response(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), SAME_ORIGIN);
    response
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
