//! The maintainer scripts, as dpkg runs them, on a system in a folder.

use super::tree::{read, root};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Programs of the system, which only note that they were called.
const SYSTEM: [&str; 5] = ["systemctl", "deb-systemd-invoke", "deb-systemd-helper", "systemd-sysusers", "udevadm"];
/// The format that the package knows.
const KNOWN: &str = "3";

struct Host(tempfile::TempDir);

impl Host {
    /// Installed with a journal of this format: one machine alone, and two as instances.
    fn new(format: &str) -> Host {
        let host = Host(tempfile::tempdir().unwrap());
        host.put("usr/share/vend/journal-format", format);
        host.put("run/systemd/system/there", "");
        for (config, state) in
            [("vend.toml", "vend"), ("left/vend.toml", "vend-left"), ("right/vend.toml", "vend-right")]
        {
            host.put(&format!("etc/vend/{config}"), "machine_no = \"16327129\"\n");
            host.put(&format!("var/lib/{state}/journal/unfinished"), "0");
        }
        let called = host.at("called");
        for name in SYSTEM {
            host.program(&format!("bin/{name}"), &format!("#!/bin/sh\necho \"{name} $*\" >>{}\n", called.display()));
        }
        // What is unfinished where its last argument says.
        host.program("bin/vend", "#!/bin/sh\nfor last; do :; done\nexit \"$(cat \"$last/journal/unfinished\")\"\n");
        host.program("usr/lib/vend/is-set-up", &read("systemd/is-set-up"));
        host
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn program(&self, path: &str, text: &str) {
        self.put(path, text);
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn enable(&self, unit: &str) {
        let wants = self.at("etc/systemd/system/multi-user.target.wants");
        fs::create_dir_all(&wants).unwrap();
        symlink("/lib/systemd/system/vend@.service", wants.join(unit)).unwrap();
    }

    fn run(&self, script: &str, argument: &str) -> Output {
        let here = self.0.path().display();
        let mut text = read(&format!("package/{script}")).replace("@JOURNAL_FORMAT@", KNOWN);
        for folder in ["/etc/", "/var/lib/", "/usr/", "/run/"] {
            text = text.replace(folder, &format!("{here}{folder}"));
        }
        let path = format!("{here}/bin:{}", std::env::var("PATH").unwrap());
        Command::new("sh").args(["-c", &text, script, argument]).env("PATH", path).current_dir(root()).output().unwrap()
    }

    fn does(&self, script: &str, argument: &str) {
        let done = self.run(script, argument);
        assert!(done.status.success(), "{script} {argument}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// What it says.
    fn refuses(&self, script: &str, argument: &str) -> String {
        let refused = self.run(script, argument);
        assert_eq!(refused.status.code(), Some(1), "{script} {argument}");
        String::from_utf8(refused.stderr).unwrap()
    }

    fn has(&self, path: &str) -> bool {
        Path::new(&self.at(path)).exists()
    }
}

#[test]
fn a_journal_of_a_newer_format_is_refused_whichever_machine_has_it() {
    for (only, with_its_own) in [("vend", "vend-left"), ("vend-left", "vend")] {
        let host = Host::new("99");
        fs::remove_dir_all(host.at("var/lib/vend-right")).unwrap();
        fs::remove_dir_all(host.at(&format!("var/lib/{with_its_own}"))).unwrap();
        assert!(host.refuses("preinst", "upgrade").contains(&format!("var/lib/{only} is of format 99")));
        // The same once the newer package was removed.
        host.does("prerm", "remove");
        fs::remove_dir_all(host.at("usr/share")).unwrap();
        assert!(host.refuses("preinst", "install").contains(&format!("var/lib/{only} is of format 99")));
        fs::remove_dir_all(host.at(&format!("var/lib/{only}/journal"))).unwrap();
        host.does("preinst", "install");
    }
    Host::new(KNOWN).does("preinst", "upgrade");
}

#[test]
fn installed_again_every_machine_that_is_enabled_is_started() {
    let host = Host::new(KNOWN);
    host.enable("vend@left.service");
    host.does("prerm", "remove");
    assert!(host.has("var/lib/vend-left/removed"));
    host.does("postrm", "remove");
    fs::remove_file(host.at("called")).unwrap();
    host.does("postinst", "configure");
    let called = fs::read_to_string(host.at("called")).unwrap();
    assert!(called.contains("deb-systemd-invoke start vend@left.service\n"), "{called}");
    assert!(!called.contains("vend@right"), "nobody enabled it: {called}");
    assert!(called.contains("systemctl try-restart vend@*.service\n"), "{called}");
    for state in ["vend", "vend-left", "vend-right"] {
        assert!(!host.has(&format!("var/lib/{state}/removed")), "{state}");
    }
}

#[test]
fn a_purge_is_refused_while_any_machine_has_something_unfinished_and_then_takes_everything_of_each() {
    for state in ["vend", "vend-left"] {
        let host = Host::new(KNOWN);
        host.enable("vend@left.service");
        host.put("var/lib/vend-old/journal/unfinished", "0");
        host.put(&format!("var/lib/{state}/journal/unfinished"), "5");
        host.does("prerm", "remove");
        assert!(
            host.refuses("postrm", "purge").contains(&format!("rm -r {}", host.at("var/lib").join(state).display()))
        );
        for state in ["vend", "vend-left", "vend-right"] {
            assert!(host.has(&format!("var/lib/{state}/journal")), "{state}");
        }
        host.put(&format!("var/lib/{state}/journal/unfinished"), "0");
        host.does("prerm", "remove");
        // dpkg's own part.
        fs::remove_file(host.at("etc/vend/vend.toml")).unwrap();
        host.does("postrm", "purge");
        for path in ["var/lib/vend", "var/lib/vend-left", "var/lib/vend-right", "etc/vend"] {
            assert!(!host.has(path), "{path}");
        }
        assert!(host.has("var/lib/vend-old"), "no machine of the configuration");
    }
}
