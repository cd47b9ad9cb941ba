//! Codes that a phone scans: for a terminal, for a screen, and as bare modules. Pure; nothing is drawn anywhere.
//!
//! The code of a text is the smallest that holds it, with the best error correction that does not make it larger: a
//! smaller code has larger modules, and those are what a phone at arm's length needs most.

use crate::order::said::InChinese;
use qrcode::{Color, EcLevel, QrCode};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Light modules around a code, without which readers do not find it (ISO/IEC 18004, 6.3.8).
const QUIET_MODULES: usize = 4;
/// Most bytes of a text for a terminal: those of version 5-L, whose 37 modules and the light ones around them are the most
/// that fit into 23 lines of two modules each; the last of 24 is the shell's.
pub const TERMINAL_BYTES_MAX: usize = 106;
/// Most bytes of a text for a screen: those of 97 modules (version 20-L). On a screen of 360 px each has three, and a phone
/// still tells them apart; the addresses that are paid at have fewer than 200.
pub const SCREEN_BYTES_MAX: usize = 858;

/// Why there is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    /// There is nothing to say.
    #[error("a code of nothing was wanted")]
    Empty,
    /// More than the surface can show.
    #[error("a text of {found_bytes} bytes was to become a code, and {max_bytes} bytes fit; use a shorter address")]
    TooLong {
        /// How many it has.
        found_bytes: usize,
        /// How many may be.
        max_bytes: usize,
    },
}

impl InChinese for QrError {
    fn zh(&self) -> String {
        match self {
            QrError::Empty => "没有可生成二维码的内容".to_owned(),
            QrError::TooLong { found_bytes, max_bytes } => {
                format!("二维码文本有 {found_bytes} 字节，至多容纳 {max_bytes} 字节；请使用较短的地址")
            }
        }
    }
}

/// The modules of a code, without the light ones around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    /// Modules on a side.
    pub size: usize,
    /// From top to bottom; `1` is a dark module.
    pub rows: Vec<String>,
}

impl Matrix {
    /// What is outside is light.
    fn is_dark(&self, x: usize, y: usize) -> bool {
        self.rows.get(y).and_then(|row| row.as_bytes().get(x)) == Some(&b'1')
    }

    /// The same in coordinates of a picture that begins with the light modules above and left of the code.
    fn is_dark_in_picture(&self, x: usize, y: usize) -> bool {
        let code = |at: usize| at.checked_sub(QUIET_MODULES);
        code(x).zip(code(y)).is_some_and(|(x, y)| self.is_dark(x, y))
    }

    /// Modules on a side, with the light ones around.
    const fn picture_size(&self) -> usize {
        self.size + 2 * QUIET_MODULES
    }
}

/// The modules, for whoever draws them.
///
/// # Errors
/// [`QrError`]; at most [`SCREEN_BYTES_MAX`].
pub fn matrix(text: &str) -> Result<Matrix, QrError> {
    encode(text, SCREEN_BYTES_MAX)
}

/// The code in half blocks, two modules a line: 23 lines at most, and 45 columns. Light modules are the ones that are
/// drawn, as is right on a dark terminal; on a light one the code is inverted, which the readers of phones take too.
///
/// # Errors
/// [`QrError`]; at most [`TERMINAL_BYTES_MAX`].
pub fn terminal(text: &str) -> Result<String, QrError> {
    let matrix = encode(text, TERMINAL_BYTES_MAX)?;
    let size = matrix.picture_size();
    let mut picture = String::new();
    for y in (0..size).step_by(2) {
        for x in 0..size {
            // Below the last row of an odd number nothing is drawn.
            let lower_is_light = y + 1 < size && !matrix.is_dark_in_picture(x, y + 1);
            picture.push(match (!matrix.is_dark_in_picture(x, y), lower_is_light) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        picture.push('\n');
    }
    Ok(picture)
}

/// The code as an SVG document of one unit a module, black on white whatever is around it.
///
/// # Errors
/// As [`matrix`].
pub fn svg(text: &str) -> Result<String, QrError> {
    let Outline { size, path } = outline(text)?;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{size}v{size}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

/// What of a code's SVG depends on its text, for a page that has the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Modules on a side, with the light ones around.
    pub size: usize,
    /// The dark modules as an SVG path.
    pub path: String,
}

/// The dark modules as one path: a run in a row is one rectangle.
///
/// # Errors
/// As [`matrix`].
pub fn outline(text: &str) -> Result<Outline, QrError> {
    let matrix = matrix(text)?;
    let mut path = String::new();
    for (y, row) in matrix.rows.iter().enumerate() {
        let mut x = 0;
        for run in row.as_bytes().chunk_by(|a, b| a == b) {
            if run.first() == Some(&b'1') {
                let (left, top, width) = (x + QUIET_MODULES, y + QUIET_MODULES, run.len());
                // A text takes whatever is written to it.
                let _ = write!(path, "M{left} {top}h{width}v1h-{width}z");
            }
            x += run.len();
        }
    }
    Ok(Outline { size: matrix.picture_size(), path })
}

fn encode(text: &str, max_bytes: usize) -> Result<Matrix, QrError> {
    if text.is_empty() {
        return Err(QrError::Empty);
    }
    let too_long = QrError::TooLong { found_bytes: text.len(), max_bytes };
    // Before the work: it grows with the text. Digits would be packed closer, but no address is of digits only.
    if text.len() > max_bytes {
        return Err(too_long);
    }
    let code = |level| QrCode::with_error_correction_level(text, level).map_err(|_| too_long);
    let smallest = code(EcLevel::L)?;
    let better = [EcLevel::H, EcLevel::Q, EcLevel::M].into_iter().filter_map(|level| code(level).ok());
    let best = { better }.find(|better| better.width() == smallest.width()).unwrap_or(smallest);
    let size = best.width();
    let colors = best.to_colors();
    let row = |row: &[Color]| row.iter().map(|color| color.select('1', '0')).collect();
    Ok(Matrix { size, rows: colors.chunks(size).map(row).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rqrr::PreparedImage;

    /// Pixels a module: what the reader finds without guessing.
    const SCALE: usize = 3;

    /// Reads a picture of modules as a stranger does.
    fn read(size: usize, is_dark: impl Fn(usize, usize) -> bool) -> String {
        let side = size * SCALE;
        let shade = |x: usize, y: usize| if is_dark(x / SCALE, y / SCALE) { 0 } else { 255 };
        let mut image = PreparedImage::prepare_from_greyscale(side, side, shade);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "one code in the picture");
        grids[0].decode().unwrap().1
    }

    fn texts() -> Vec<String> {
        let mut texts: Vec<String> = [
            "1",
            "https://pay.example/c/8f3a",
            "HTTPS://PAY.EXAMPLE/C/8F3A",
            "weixin://wxpay/bizpayurl?pr=NwY5Mz9&groupid=00",
            "00000000000000000000",
            "可乐 3.05 元 – Straße",
        ]
        .map(str::to_owned)
        .to_vec();
        texts.push("x".repeat(TERMINAL_BYTES_MAX));
        texts
    }

    #[test]
    fn a_stranger_reads_on_a_terminal_what_was_written() {
        for text in texts() {
            let picture = terminal(&text).unwrap();
            let lines: Vec<Vec<char>> = picture.lines().map(|line| line.chars().collect()).collect();
            let size = lines[0].len();
            assert!(lines.iter().all(|line| line.len() == size), "{picture}");
            assert!(lines.len() <= 23 && size <= 80, "{} lines of {size} columns", lines.len());
            let is_dark = |x: usize, y: usize| match lines[y / 2][x] {
                '█' => false,
                '▀' => y % 2 == 1,
                '▄' => y.is_multiple_of(2),
                ' ' => true,
                other => panic!("{other:?}"),
            };
            assert_eq!(read(size, is_dark), text);
        }
    }

    #[test]
    fn a_stranger_reads_the_modules_and_the_path_of_the_svg() {
        for text in texts().into_iter().chain(["x".repeat(SCREEN_BYTES_MAX)]) {
            let matrix = matrix(&text).unwrap();
            let around = matrix.picture_size();
            assert_eq!(read(around, |x, y| matrix.is_dark_in_picture(x, y)), text);
            let outline = outline(&text).unwrap();
            let mut dark = vec![vec![false; around]; around];
            for run in outline.path.split('z').filter(|run| !run.is_empty()) {
                let numbers: Vec<usize> = run.split(['M', ' ', 'h', 'v', '-']).filter_map(|n| n.parse().ok()).collect();
                let [x, y, width, 1, back] = numbers[..] else { panic!("{run}") };
                assert_eq!(width, back);
                (x..x + width).for_each(|x| dark[y][x] = true);
            }
            assert_eq!(outline.size, around);
            assert_eq!(read(around, |x, y| dark[y][x]), text);
            let svg = svg(&text).unwrap();
            assert!(svg.contains(&outline.path) && svg.contains(&format!("viewBox=\"0 0 {around} {around}\"")));
        }
    }

    #[test]
    fn what_is_too_long_for_a_surface_is_told_with_the_number_that_fits() {
        let long = "x".repeat(TERMINAL_BYTES_MAX + 1);
        let error = terminal(&long).unwrap_err();
        assert_eq!(error, QrError::TooLong { found_bytes: 107, max_bytes: 106 });
        assert!(error.to_string().contains("106 bytes fit"), "{error}");
        assert!(svg(&long).is_ok());
        let longer = "x".repeat(SCREEN_BYTES_MAX + 1);
        assert_eq!(svg(&longer), Err(QrError::TooLong { found_bytes: 859, max_bytes: 858 }));
        assert_eq!(matrix(&longer), Err(QrError::TooLong { found_bytes: 859, max_bytes: 858 }));
        assert_eq!(terminal(""), Err(QrError::Empty));
    }

    #[test]
    fn the_largest_codes_are_as_large_as_their_limits_say() {
        let largest = matrix(&"x".repeat(TERMINAL_BYTES_MAX)).unwrap();
        let (lines, modules_a_line) = (23, 2);
        assert!(largest.picture_size() <= lines * modules_a_line);
        let next = matrix(&"x".repeat(TERMINAL_BYTES_MAX + 1)).unwrap();
        assert!(next.picture_size() > lines * modules_a_line, "a longer text would still fit");
        assert_eq!(matrix(&"x".repeat(SCREEN_BYTES_MAX)).unwrap().size, 97);
    }

    #[test]
    fn error_correction_is_the_best_that_makes_no_larger_code() {
        let size = |text: &str| matrix(text).unwrap().size;
        assert_eq!([size(&"x".repeat(17)), size(&"x".repeat(18)), size(&"x".repeat(32))], [21, 25, 25]);
        // 11 bytes fit 21 modules with the third of four levels, which repairs twice what the first does.
        let text = "x".repeat(11);
        let matrix = matrix(&text).unwrap();
        let (across, down) = (10..15, 9..14);
        let damaged = read(matrix.picture_size(), |x, y| {
            let is_in = |n: usize, range: &std::ops::Range<usize>| range.contains(&n.saturating_sub(QUIET_MODULES));
            matrix.is_dark_in_picture(x, y) ^ (is_in(x, &across) && is_in(y, &down))
        });
        assert_eq!(damaged, text, "25 wrong modules");
    }
}
