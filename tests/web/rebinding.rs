//! Pages of somebody else, in a real browser on the same computer as ours.

use crate::browser::Browser;
use crate::source::Source;
use serde_json::json;
use vend::config::file::WebTokenFor;

#[test]
fn a_name_of_somebody_else_that_leads_here_shows_and_learns_nothing() {
    let source = Source::start(WebTokenFor::Never);
    let mut browser = Browser::start(360, 740);
    browser.open(&format!("http://rebound.example:{}/service", source.address.port()));
    browser.wait_for_text("the pages are not served by this name");
    // Its scripts are of the same origin as we are, as they see it, and ask as our own page would.
    let asked = "Promise.all(['/', '/api/status', '/api/texts', '/metrics', '/healthz'].map(async (path) => (await fetch(path)).status))";
    // What we answer it with forbids its scripts even that; where they came from before we did, nothing does.
    browser.call("Page.setBypassCSP", json!({ "enabled": true }));
    browser.open(&format!("http://rebound.example:{}/", source.address.port()));
    browser.wait_for_text("the pages are not served by this name");
    assert_eq!(browser.eval(asked), json!([421, 421, 421, 421, 421]));
    assert_eq!(source.machine.lock().unwrap().asked, [], "the core was not asked");
}

#[test]
fn a_page_of_another_origin_can_neither_read_nor_have_something_done() {
    let directory = tempfile::tempdir().unwrap();
    let ran = directory.path().join("ran");
    let source = Source::with_doctor(WebTokenFor::Never, &format!("echo x >> {}", ran.display()));
    let mut browser = Browser::start(360, 740);
    browser.open("data:text/html,<p>somebody else</p>");
    browser.wait_for_text("somebody else");
    let tried = |browser: &mut Browser, path: &str, options: &str| {
        let url = json!(source.url(path));
        browser.eval(&format!("fetch({url}, {options}).then((it) => it.type, () => 'refused')"))
    };
    assert_eq!(tried(&mut browser, "/api/status", "{}"), "refused", "it cannot be read");
    let json_of = "{ method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json' } }";
    assert_eq!(
        tried(&mut browser, "/api/doctor", json_of),
        "refused",
        "the browser asks us first, and we do not allow"
    );
    let form = "{ method: 'POST', body: '{}', mode: 'no-cors' }";
    for path in ["/api/doctor", "/api/sale"] {
        tried(&mut browser, path, form);
    }
    // A picture, a script or a frame of ours is none in a page of another origin.
    for (element, attribute) in [("img", "src"), ("script", "src")] {
        let url = json!(source.url("/common.js"));
        let told = browser.eval(&format!(
            "new Promise((resolve) => {{ const it = document.createElement('{element}'); it.onload = () => resolve('loaded'); \
             it.onerror = () => resolve('refused'); it.{attribute} = {url}; document.body.append(it); }})"
        ));
        assert_eq!(told, "refused", "{element}");
    }
    let asked = source.machine.lock().unwrap().asked.clone();
    assert!(asked.iter().all(|ask| *ask == vend::control::Ask::Status), "at most asked, never read: {asked:?}");
    assert!(!ran.exists(), "and nothing was done");
}
