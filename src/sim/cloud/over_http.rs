//! A stand-in over HTTP: its answers in the words of `io`'s small server, and the paths by which a person or a test
//! changes something while it runs. Carries nothing itself.

use super::fault::Fault;
use super::stand_in::{StandIn, Told};
use crate::io::http::server::{Answer, Request, date_header};
use std::time::Duration;

/// `POST` with faults as on the command line, apart by white space; `DELETE` ends them.
pub const FAULTS_PATH: &str = "/faults";
/// `POST` with `ORDER`, which is paid from now on, or `ORDER=STATUS` in the cloud's own word; more apart by white space.
pub const PAID_PATH: &str = "/paid";
/// `POST`: everyone is logged out, as when a session's time is over.
pub const LOG_OUT_PATH: &str = "/log-out";

/// Answers a request, with a line for whoever watches.
pub fn answer(cloud: &mut dyn StandIn, request: &Request, now_s: u64) -> (Answer, String) {
    cloud.tick(now_s);
    let done = match request.path.as_str() {
        FAULTS_PATH => change_faults(cloud, request),
        PAID_PATH => set_orders(cloud, request),
        LOG_OUT_PATH if request.method == "POST" => {
            cloud.log_all_out();
            Ok("everyone is logged out".to_owned())
        }
        LOG_OUT_PATH => Err((405, "POST".to_owned())),
        _ => {
            let headers: Vec<(&str, &str)> = request.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let told = cloud.tell(&request.method, &request.path, &headers, &request.body);
            let line = cloud.told_line(&request.method, &request.path, &request.body, &told);
            return (carried(told), line);
        }
    };
    let said =
        |status, text: &str| Answer::Whole { status, headers: String::new(), body: format!("{text}\n").into_bytes() };
    match done {
        Ok(line) => (said(200, "ok"), line),
        Err((status, why)) => (said(status, &why), format!("{} {}: {why}", request.method, request.path)),
    }
}

fn carried(told: Told) -> Answer {
    if told.is_cut {
        return Answer::Cut(b"");
    }
    let mut headers = "Content-Type: application/json\r\n".to_owned();
    if let Some(cookie) = told.set_cookie {
        headers.push_str(&format!("Set-Cookie: {cookie}\r\n"));
    }
    if let Some(s) = told.retry_after_s {
        headers.push_str(&format!("Retry-After: {s}\r\n"));
    }
    if told.date_off_s != 0 {
        headers.push_str(&date_header(told.date_off_s));
    }
    let whole = Answer::Whole { status: told.status, headers, body: told.body };
    match told.after_s {
        0 => whole,
        s => Answer::After(Duration::from_secs(s), Box::new(whole)),
    }
}

/// What was done, for whoever watches; or HTTP status and reason.
type Done = Result<String, (u16, String)>;

fn change_faults(cloud: &mut dyn StandIn, request: &Request) -> Done {
    let body = String::from_utf8_lossy(&request.body);
    match request.method.as_str() {
        "POST" => match body.split_whitespace().map(str::parse).collect::<Result<Vec<Fault>, _>>() {
            Ok(faults) if !faults.is_empty() => {
                faults.into_iter().for_each(|fault| cloud.mishaps().meet(fault));
                Ok(format!("faults: {}", body.trim()))
            }
            Ok(_) => Err((400, "the body names no fault".to_owned())),
            Err(error) => Err((400, error.to_string())),
        },
        "DELETE" => {
            cloud.mishaps().clear();
            Ok("faults: none".to_owned())
        }
        _ => Err((405, "POST or DELETE".to_owned())),
    }
}

fn set_orders(cloud: &mut dyn StandIn, request: &Request) -> Done {
    if request.method != "POST" {
        return Err((405, "POST".to_owned()));
    }
    let body = String::from_utf8_lossy(&request.body);
    let mut orders = body.split_whitespace().peekable();
    if orders.peek().is_none() {
        return Err((400, "the body names no order".to_owned()));
    }
    for word in orders {
        let (order, status) = word.split_once('=').map_or((word, None), |(order, status)| (order, Some(status)));
        cloud.set_order(order, status).map_err(|error| (404, format!("{word:.80}: {error}")))?;
    }
    Ok(format!("paid: {}", body.trim()))
}
