//! Lists the board profiles of `boards/` for `src/board/profile.rs`, and has vend linked anew when the list of functions
//! changed that go first in the shipped binary.

use std::fmt::Write as _;
use std::{env, fs, path::Path};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=boards");
    println!("cargo::rerun-if-changed=package/layout");
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let mut names: Vec<String> = fs::read_dir(Path::new(&root).join("boards"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| file.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort();
    let mut code = String::from("static BUILT_IN: &[(&str, &str)] = &[\n");
    for name in &names {
        writeln!(
            code,
            "    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/boards/{name}.toml\"))),"
        )?;
    }
    code.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("built_in_profiles.rs"), code)?;
    Ok(())
}
