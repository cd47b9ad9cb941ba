//! Debian's Chromium, driven by its DevTools protocol over a pair of pipes: no other tool is needed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

/// Whatever the browser does takes less, on a machine that builds something beside it.
const GENEROUS: Duration = Duration::from_secs(60);
/// Between two looks at a page.
const LOOK_EVERY: Duration = Duration::from_millis(30);
/// 60 s of looks.
const LOOKS_MAX: u32 = 2_000;
/// What keeps it from doing anything but what it is told, and lets it run as root and without a screen.
const FLAGS: [&str; 14] = [
    // A name of somebody else that leads here, as after DNS rebinding.
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--lang=en",
    "--remote-debugging-pipe",
];

/// A running browser with one page. Killed when dropped.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    last_id: u64,
    session: Option<String>,
    /// What the page complained about: exceptions, refused loads, what the policy forbade.
    pub complaints: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    /// A browser whose page is this wide and high, in CSS pixels.
    pub fn start(width: u32, height: u32) -> Browser {
        let profile = tempfile::tempdir().unwrap();
        // It reads from descriptor 3 and writes to 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh"])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let (sender, from) = channel();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while told.read_until(0, &mut message).is_ok_and(|bytes| bytes > 0) {
                message.pop();
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser =
            Browser { child, to, from, last_id: 0, session: None, complaints: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let session = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.resize(width, height);
        browser
    }

    /// Has the browser do something, and waits for the answer.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.clone().into();
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let told = self.from.recv_timeout(GENEROUS).unwrap_or_else(|e| panic!("chromium, asked {method}: {e}"));
            if told["id"] == self.last_id {
                assert!(told["error"].is_null(), "{method}: {told}");
                return told["result"].clone();
            }
            match told["method"].as_str() {
                Some("Runtime.exceptionThrown") => self.complaints.push(told["params"]["exceptionDetails"].to_string()),
                Some("Log.entryAdded") => {
                    let entry = &told["params"]["entry"];
                    let text = format!("{} {}", entry["text"].as_str().unwrap_or_default(), entry["url"]);
                    // Every browser asks for it, and a page without one is none the worse.
                    if !text.contains("favicon.ico") {
                        self.complaints.push(text);
                    }
                }
                _ => {}
            }
        }
    }

    /// Another size.
    pub fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Opens a page.
    pub fn open(&mut self, url: &str) {
        let opened = self.call("Page.navigate", json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
    }

    /// What an expression of JavaScript says, in the page.
    pub fn eval(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let told = self.call("Runtime.evaluate", params);
        assert!(told["exceptionDetails"].is_null(), "{expression}: {told}");
        told["result"]["value"].clone()
    }

    /// Looks until an expression says true.
    pub fn wait(&mut self, expression: &str) {
        let mut looks = 0;
        // While a page is loaded anew there is nothing to look at.
        while self.eval(&format!("(() => {{ try {{ return Boolean({expression}) }} catch {{ return false }} }})()"))
            != true
        {
            assert!(
                looks < LOOKS_MAX,
                "in vain: {expression}\n{}\n{:?}",
                self.eval("document.body?.innerText"),
                self.complaints
            );
            looks += 1;
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Looks until the page shows a text.
    pub fn wait_for_text(&mut self, text: &str) {
        self.wait(&format!("document.body.innerText.includes({})", json!(text)));
    }

    /// Everything that can be read on the page.
    pub fn text(&mut self) -> String {
        self.eval("document.body.innerText").as_str().unwrap().to_owned()
    }

    /// Touches the element that a selector names.
    pub fn click(&mut self, selector: &str) {
        self.wait(&format!("document.querySelector({})", json!(selector)));
        self.eval(&format!("document.querySelector({}).click()", json!(selector)));
    }

    /// Keeps a picture of the page for people: `target/screenshots/NAME.png`.
    pub fn picture(&mut self, name: &str) {
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let bytes = BASE64.decode(picture["data"].as_str().unwrap()).unwrap();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// Presses a key where the focus is.
    pub fn press(&mut self, key: &str, code: u32, text: &str) {
        for kind in ["keyDown", "keyUp"] {
            let mut pressed = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if !text.is_empty() {
                pressed["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", pressed);
        }
    }

    /// As on a computer that is set to `light` or `dark`.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// What is written can be told from what it is written on (WCAG 2.1, AA: 4.5 to 1, and 3 to 1 for large texts and
    /// for the edges of what can be touched).
    pub fn has_contrast(&mut self) {
        let faint = self.eval(
            "(() => {
              const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
              const light = ([r, g, b]) => {
                const part = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
                return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
              };
              const behind = (it) => {
                for (let at = it; at !== null; at = at.parentElement) {
                  const colour = parse(getComputedStyle(at).backgroundColor);
                  if (colour.length < 4 || colour[3] > 0) return colour;
                }
                return [255, 255, 255];
              };
              const ratio = (a, b) => {
                const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
                return (high + 0.05) / (low + 0.05);
              };
              const faint = [];
              for (const it of document.querySelectorAll('body *')) {
                if (!it.checkVisibility()) continue;
                const style = getComputedStyle(it);
                const writes = [...it.childNodes].some((child) => child.nodeType === 3 && child.data.trim() !== '');
                const ink = it.namespaceURI.endsWith('svg') ? style.fill : style.color;
                if (writes) {
                  const wanted = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
                  const found = ratio(parse(ink), behind(it));
                  if (found < wanted) faint.push([it.textContent, found]);
                }
                if (['BUTTON', 'INPUT'].includes(it.tagName) && parseFloat(style.borderTopWidth) > 0) {
                  const found = ratio(parse(style.borderTopColor), behind(it.parentElement));
                  if (found < 3) faint.push(['the edge of ' + it.textContent, found]);
                }
              }
              return faint;
            })()",
        );
        assert_eq!(faint, json!([]), "too faint");
    }

    /// Whoever hears the page instead of seeing it finds a way through it: a language, one first heading and none left
    /// out below it, a name for whatever can be touched and for each part, and no two things of one name of their own.
    pub fn can_be_heard(&mut self) {
        let wrong = self.eval(
            "(() => {
              const wrong = [];
              const shown = (selector) => [...document.querySelectorAll(selector)].filter((it) => it.checkVisibility());
              const named = (it) => {
                const by = it.getAttribute('aria-labelledby');
                const label = it.id === '' ? null : document.querySelector('label[for=' + it.id + ']');
                const texts = [it.getAttribute('aria-label'), by && document.getElementById(by)?.textContent, label?.textContent, it.textContent];
                return texts.some((text) => (text ?? '').trim() !== '');
              };
              if (!['en', 'zh-Hans'].includes(document.documentElement.lang)) wrong.push('no language');
              const levels = shown('h1,h2,h3,h4').map((it) => Number(it.tagName[1]));
              if (levels.filter((level) => level === 1).length !== 1) wrong.push('first headings: ' + levels);
              levels.forEach((level, n) => { if (n > 0 && level > levels[n - 1] + 1) wrong.push('a heading left out: ' + levels); });
              for (const it of shown('button,a,input,select,summary,section,nav,[role=log],[role=img],[tabindex]')) {
                if (!named(it)) wrong.push('no name: ' + it.outerHTML);
              }
              const ids = [...document.querySelectorAll('[id]')].map((it) => it.id);
              if (new Set(ids).size !== ids.length) wrong.push('ids twice: ' + ids);
              for (const it of shown('[tabindex]')) if (it.tabIndex > 0) wrong.push('an order of its own: ' + it.outerHTML);
              for (const it of shown('ul > *, ol > *')) if (it.tagName !== 'LI') wrong.push('in a list: ' + it.outerHTML);
              return wrong;
            })()",
        );
        assert_eq!(wrong, json!([]));
    }

    /// The page fits its width, and whatever can be touched is large enough for a finger.
    pub fn is_for_fingers(&mut self) {
        let widths = self.eval("[document.documentElement.scrollWidth, innerWidth]");
        assert!(widths[0].as_u64() <= widths[1].as_u64(), "the page is wider than the screen: {widths}");
        let small = self.eval(
            "[...document.querySelectorAll('button, a, input, select, summary')].filter((it) => it.checkVisibility()) \
             .map((it) => [it.textContent, it.getBoundingClientRect()]) \
             .filter(([, { width, height }]) => width < 44 || height < 44).map(([text]) => text)",
        );
        assert_eq!(small, json!([]), "smaller than 44 px");
    }

    /// Nothing went wrong in the page, and its policy forbade nothing.
    pub fn is_content(&mut self) {
        self.eval("0");
        assert_eq!(self.complaints, [""; 0]);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
