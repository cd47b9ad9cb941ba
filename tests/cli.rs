//! The frame of the command line: forms of output, languages, terminals, exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

const CONFIG: &str = "machine_no = \"00012345\"\n[broker]\nurl = \"mqtt://localhost\"\nusername = \"me\"\n\
                      [cloud]\nverify_orders = \"never\"\n[board]\nprofile = \"tcn-00ff\"\nport = \"port\"\n";

fn vend(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vend"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// Exit code, standard output, standard error.
fn run(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What the command shows on a terminal.
fn on_a_terminal(mut command: Command) -> String {
    let ours = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&ours).unwrap();
    rustix::pty::unlockpt(&ours).unwrap();
    let name = rustix::pty::ptsname(&ours, Vec::new()).unwrap();
    let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut child = command.stdout(theirs).spawn().unwrap();
    // The command still holds an end of the terminal.
    drop(command);
    let mut ours = File::from(ours);
    let (mut shown, mut piece) = (Vec::new(), [0; 4096]);
    // Linux reports EIO when the last holder of the other end is gone.
    while let Ok(n @ 1..) = ours.read(&mut piece) {
        shown.extend_from_slice(&piece[..n]);
    }
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap()
}

fn config_in(directory: &Path) -> String {
    let path = directory.join("vend.toml");
    std::fs::write(&path, CONFIG).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_senseless_command_line_ends_with_2_and_help_with_0() {
    for arguments in [["nonsense"].as_slice(), &[], &["--lang", "fr", "demo"], &["board", "list", "--json", "--plain"]]
    {
        let (code, out, err) = run(vend(arguments));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(!err.is_empty());
    }
    let (code, out, err) = run(vend(&["--help"]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("Usage: vend"));
}

#[test]
fn help_comes_in_chinese_on_every_floor() {
    for (arguments, text) in [
        (["--lang", "zh", "--help"].as_slice(), "守护进程"),
        (&["--lang=zh", "config", "--help"], "检查配置"),
        (&["config", "check", "--lang", "zh", "-h"], "存放密钥的目录"),
        (&["--lang", "zh", "board", "show", "--help"], "文件路径"),
    ] {
        let (code, out, _) = run(vend(arguments));
        assert_eq!(code, Some(0));
        assert!(out.contains("用法：vend") && out.contains(text) && !out.contains("Usage"), "{out}");
        assert!(!out.contains("Print"), "{out}");
    }
}

#[test]
fn a_demonstration_is_elsewhere_in_this_build() {
    if cfg!(feature = "demo") {
        return;
    }
    let (code, _, err) = run(vend(&["demo"]));
    assert_eq!((code, err.as_str()), (Some(2), "error: this build has no demo; use: make demo\n"));
}

#[test]
fn boards_come_as_columns_or_as_json_and_without_a_terminal_never_as_a_table() {
    let (code, plain, _) = run(vend(&["board", "list", "--plain"]));
    assert_eq!(code, Some(0));
    assert!(plain.lines().any(|l| l.starts_with("tcn-00ff\tTCN driver board")), "{plain}");
    assert!(plain.lines().all(|l| l.split('\t').count() == 5), "{plain}");
    assert!(plain.contains("\ttcn-00ff\t9600 8N1\tforgotten\n"), "{plain}");
    assert_eq!(run(vend(&["board", "list"])).1, plain);
    let json: serde_json::Value = serde_json::from_str(&run(vend(&["board", "list", "--json"])).1).unwrap();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["boards"].as_array().unwrap().len(), plain.lines().count());
    let (code, _, err) = run(vend(&["board", "show", "nonsense"]));
    assert!(err.contains("tcn-00ff"), "{err}");
    assert_eq!(code, Some(6));
}

#[test]
fn a_copied_profile_is_shown_and_simulated_from_its_file_and_its_mistakes_are_told_with_their_place() {
    let directory = tempfile::tempdir().unwrap();
    let (_, text) = vend::board::profile::Profile::built_in().into_iter().find(|(name, _)| *name == "adh815").unwrap();
    let mine = text.replace("name = \"adh815\"", "name = \"mine\"").replace("last = 99", "last = 9\ngaps = [4, 7]");
    std::fs::write(directory.path().join("mine.toml"), &mine).unwrap();
    let here = |arguments: &[&str]| {
        let mut command = vend(arguments);
        command.current_dir(directory.path());
        command
    };
    let (code, shown, _) = run(here(&["board", "show", "./mine.toml"]));
    assert_eq!(code, Some(0));
    assert!(shown.contains("name\tname\tmine\n") && shown.contains("slots.gaps\tslots that do not exist\t4; 7\n"));
    assert!(run(here(&["--lang", "zh", "board", "show", "mine.toml"])).1.contains("slots.gaps\t不存在的货道\t4; 7\n"));
    let json: serde_json::Value =
        serde_json::from_str(&run(here(&["board", "show", "mine.toml", "--json"])).1).unwrap();
    assert_eq!(
        (&json["schema_version"], &json["slots"]["gaps"][1], &json["options"]["adh_variant"]),
        (&1.into(), &7.into(), &"815".into())
    );

    let mut command = here(&["board", "simulate", "--profile", "./mine.toml", "--link", "port"]);
    let mut board = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(board.stdout.as_mut().unwrap()), &mut line).unwrap();
    board.kill().unwrap();
    board.wait().unwrap();
    assert_eq!(line, "port\n");

    std::fs::write(directory.path().join("mine.toml"), mine.replace("reply_ms = 500", "reply_ms = 0")).unwrap();
    let (code, out, err) = run(here(&["board", "show", "mine.toml"]));
    assert_eq!((code, out.as_str()), (Some(78), ""));
    assert!(err.starts_with("error: ./mine.toml:") && err.contains("\n   |            ^\n"), "{err}");
}

#[test]
fn a_terminal_gets_a_table_in_the_language_of_the_locale() {
    let mut command = vend(&["board", "show", "tcn-00ff"]);
    command.env("LANG", "zh_CN.UTF-8");
    let shown = on_a_terminal(command);
    assert!(shown.contains("货道") && shown.contains('─'), "{shown}");
    let mut command = vend(&["--lang", "en", "board", "show", "tcn-00ff"]);
    command.env("LC_ALL", "zh_CN.UTF-8");
    let shown = on_a_terminal(command);
    assert!(shown.contains("slots") && !shown.contains("货道"), "{shown}");
}

#[test]
fn no_color_is_respected_on_a_terminal_and_the_words_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = config_in(directory.path());
    let shown = |no_color: &str| {
        let mut command = vend(&["config", "check", "--config", &path]);
        command.env("TERM", "xterm").env("NO_COLOR", no_color);
        on_a_terminal(command)
    };
    let coloured = shown("");
    assert!(coloured.contains("\x1b[32m") && coloured.contains("valid"), "{coloured:?}");
    let plain = shown("1");
    assert!(!plain.contains('\x1b') && plain.contains("valid"), "{plain:?}");
}

#[test]
fn a_reader_that_left_is_no_panic_and_no_failure() {
    for arguments in [["board", "list"].as_slice(), &["completions", "zsh"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = vend(arguments);
        command.stdout(writer);
        let (code, _, err) = run(command);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_full_standard_output_is_a_failure() {
    let mut command = vend(&["board", "list"]);
    command.stdout(File::options().write(true).open("/dev/full").unwrap());
    let (code, _, err) = run(command);
    assert_eq!(code, Some(1));
    assert!(err.starts_with("error: standard output: "), "{err}");
}

#[test]
fn the_effective_configuration_has_defaults_and_absolute_paths_and_is_valid_itself() {
    let directory = tempfile::tempdir().unwrap();
    let path = config_in(directory.path());
    let (code, shown, _) = run(vend(&["config", "show", "--effective", "--config", &path]));
    assert_eq!(code, Some(0));
    assert!(shown.contains("keep_alive_s = 60"), "{shown}");
    assert!(shown.contains(&format!("port = \"{}/port\"", directory.path().display())), "{shown}");
    std::fs::write(directory.path().join("again.toml"), &shown).unwrap();
    let again = directory.path().join("again.toml");
    assert_eq!(run(vend(&["config", "show", "--effective", "--config", again.to_str().unwrap()])).1, shown);
    let json = run(vend(&["config", "show", "--effective", "--json", "--config", &path])).1;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["schema_version"], &json["broker"]["keep_alive_s"]), (&1.into(), &60.into()));
}

#[test]
fn a_check_names_the_secrets_and_warns_of_those_that_others_can_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = config_in(directory.path());
    let (code, out, err) = run(vend(&["config", "check", "--config", &path]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.ends_with("it needs the secrets app_key, mqtt_password\n"), "{out}");
    let credentials = directory.path().to_str().unwrap();
    std::fs::write(directory.path().join("app_key"), "kva\n").unwrap();
    std::fs::write(directory.path().join("mqtt_password"), "hunter2\n").unwrap();
    for name in ["app_key", "mqtt_password"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if name == "app_key" { 0o604 } else { 0o600 };
        std::fs::set_permissions(directory.path().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut command = vend(&["config", "check", "--config", &path]);
    command.env("CREDENTIALS_DIRECTORY", credentials);
    let (code, out, err) = run(command);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.starts_with("warning: others can read ") && err.contains("app_key (mode 0604)"), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(!format!("{out}{err}").contains("hunter2"));
}

#[test]
fn every_shell_gets_completions_that_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = run(vend(&["completions", shell]));
        assert_eq!(code, Some(0));
        assert!(out.contains("effective") && out.contains("board"), "{shell}");
    }
}
