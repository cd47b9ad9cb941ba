//! Documents that are measured, `docs/budget.md` and others: sections between marks, tables, drawings.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn document(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)
}

/// Puts this text into its section of docs/budget.md, with what it was measured on.
#[allow(dead_code, reason = "other documents have other names")]
pub fn write(section: &str, text: &str) {
    write_into("budget.md", section, text);
}

/// The same in another document.
pub fn write_into(name: &str, section: &str, text: &str) {
    let path = document(name);
    let whole = fs::read_to_string(&path).expect("a document");
    let (begin, end) = (format!("<!-- {section}: written by make -->\n"), format!("<!-- end of {section} -->\n"));
    let (before, rest) = whole.split_once(&begin).unwrap_or_else(|| panic!("no mark {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no mark {end}"));
    fs::write(&path, format!("{before}{begin}{}\n\n{text}\n{end}{after}", circumstances())).expect("docs/budget.md");
    println!("{text}");
}

/// Commit, processor, kernel and how busy the machine was.
fn circumstances() -> String {
    let git = Command::new("git").args(["describe", "--always", "--dirty"]).output().ok();
    let commit = git.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default();
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ")).map_or("unknown", |(_, n)| n);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("Commit {commit}; {cores} cores of {cpu}, kernel {}, load {load} at the end.", kernel.trim())
}

/// 1234567 as 1,234,567.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A table of Markdown.
pub struct Table {
    lines: Vec<String>,
}

impl Table {
    pub fn new(head: &[&str]) -> Table {
        let rule = head.iter().map(|_| "---").collect::<Vec<_>>();
        Table { lines: vec![format!("| {} |", head.join(" | ")), format!("|{}|", rule.join("|"))] }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.lines.push(format!("| {} |", cells.into_iter().collect::<Vec<_>>().join(" | ")));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))?;
        f.write_str("\n")
    }
}

/// One line of a drawing.
pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 40.0;
const COLOURS: [&str; 5] = ["#1b6ca8", "#c0392b", "#27803b", "#8e5ea2", "#b8860b"];

/// Draws curves from zero into docs/`name`.svg.
pub fn draw(name: &str, title: &str, across: &str, up: &str, curves: &[Curve]) {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let most = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(1e-9, f64::max);
    let (x_most, y_most) = (most(|p| p.0), most(|p| p.1) * 1.05);
    let place = |(x, y): (f64, f64)| {
        (LEFT + x / x_most * (WIDTH - LEFT - 20.0), HEIGHT - BOTTOM - y / y_most * (HEIGHT - BOTTOM - 40.0))
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"18\" font-size=\"13\">{title}</text>\n"
    );
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        let ((x, foot), (_, y)) = (place((share * x_most, 0.0)), place((0.0, share * y_most)));
        svg += &format!(
            "<path d=\"M{LEFT} {y:.1}H{}\" stroke=\"#ddd\"/>\n<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
            WIDTH - 20.0,
            LEFT - 6.0,
            y + 4.0,
            short(share * y_most),
            foot + 14.0,
            short(share * x_most)
        );
    }
    svg += &format!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{across}</text>\n<text x=\"{LEFT}\" y=\"32\" \
         text-anchor=\"end\">{up}</text>\n",
        WIDTH / 2.0,
        HEIGHT - 8.0
    );
    // Most curves rise from the left; those that are flat leave room at the foot.
    let names_from = if all().all(|p| p.1 > y_most / 2.0) { 180 } else { 50 };
    for (n, curve) in curves.iter().enumerate() {
        let colour = COLOURS[n % COLOURS.len()];
        let points: Vec<String> =
            curve.points.iter().map(|&p| place(p)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        svg += &format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>\n<text x=\"{}\" y=\"{}\" \
             fill=\"{colour}\">{}</text>\n",
            points.join(" "),
            LEFT + 10.0,
            names_from + 14 * n,
            curve.name
        );
    }
    fs::write(document(&format!("{name}.svg")), svg + "</svg>\n").expect("a drawing");
}

fn short(number: f64) -> String {
    match number {
        n if n >= 1e6 => format!("{:.1}M", n / 1e6),
        n if n >= 1e4 => format!("{:.0}k", n / 1e3),
        n if n >= 100.0 => format!("{n:.0}"),
        n => format!("{n:.1}"),
    }
}
