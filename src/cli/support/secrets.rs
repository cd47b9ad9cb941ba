//! What is looked for in a bundle, and what could not be.

use crate::config::Config;
use crate::config::credentials::Credential;
use crate::order::said::{Said, said};
use std::fs;
use std::io;
use std::path::PathBuf;

/// What there was to read, and what there was not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) texts: Vec<String>,
    pub(super) unread: Vec<Said>,
}

impl Found {
    fn read(files: impl IntoIterator<Item = PathBuf>) -> Found {
        let mut found = Found::default();
        for file in files {
            match fs::read_to_string(&file) {
                Ok(text) => found.texts.push(text),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    found.unread.push(said!("{file}: {error}", "{file}：{error}", error; file = file.display()));
                }
            }
        }
        found
    }
}

/// Every secret that lies here, whether the configuration uses it or not: one that it does not use may still be somebody's.
/// One that it uses, or may use, and that lies in none of the folders is unread: systemd-creds may have it.
pub(super) fn secrets(folders: &[PathBuf; 2], config: Option<&Config>) -> Found {
    let mut all = Found::default();
    for credential in Credential::ALL {
        let name = credential.file_name();
        let mut found = Found::read(folders.iter().map(|folder| folder.join(name)));
        found.texts.retain(|text| !text.trim().is_empty());
        let is_used = config.is_none_or(|config| credential.needed_by(config).is_some());
        if is_used && found == Found::default() {
            let [file, of_service] = folders.each_ref().map(|folder| folder.join(name));
            all.unread.push(said!(
                "{file}: empty or not there, nor is there {of_service}",
                "{file}：为空或不存在，{of_service} 也不存在";
                file = file.display(), of_service = of_service.display()
            ));
        }
        all.texts.extend(found.texts.iter().map(|text| text.trim().to_owned()));
        all.unread.extend(found.unread);
    }
    all
}

/// The private keys that the configuration names.
pub(super) fn keys(config: Option<&Config>) -> Found {
    let identities = config.into_iter().flat_map(|config| {
        [config.broker.client_identity.as_ref(), config.cloud.as_ref().and_then(|cloud| cloud.client_identity.as_ref())]
    });
    Found::read(identities.flatten().map(|identity| identity.key.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::mask::Masks;
    use super::*;
    use std::path::Path;

    fn folders() -> [tempfile::TempDir; 2] {
        [(); 2].map(|()| tempfile::tempdir().unwrap())
    }

    fn read(folders: &[tempfile::TempDir; 2]) -> Found {
        secrets(&folders.each_ref().map(|folder| folder.path().to_owned()), None)
    }

    #[test]
    fn every_credential_that_lies_there_is_masked() {
        let folders = folders();
        for credential in Credential::ALL {
            let name = credential.file_name();
            fs::write(folders[0].path().join(name), format!("s3cret-{name}\n")).unwrap();
        }
        let found = read(&folders);
        assert_eq!((found.texts.len(), found.unread.len()), (Credential::ALL.len(), 0));
        let masks = Masks::new(&found.texts, &[]);
        for credential in Credential::ALL {
            assert_eq!(masks.mask(&format!("x s3cret-{} y", credential.file_name())), "x *** y");
        }
    }

    #[test]
    fn a_secret_that_only_the_service_has_is_found_there_and_one_that_nobody_shows_is_told() {
        let folders = folders();
        for credential in Credential::ALL {
            fs::write(folders[0].path().join(credential.file_name()), "").unwrap();
        }
        fs::write(folders[1].path().join("app_key"), "s3cret").unwrap();
        let found = read(&folders);
        assert_eq!(found.texts, ["s3cret"]);
        assert_eq!(found.unread.len(), Credential::ALL.len() - 1);
        assert!(found.unread.iter().all(|said| !said.en.contains("app_key")), "{found:?}");
    }

    #[test]
    fn a_secret_that_the_configuration_does_not_use_is_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("vend.toml");
        let text = "machine_no = \"16327129\"\n[broker]\nurl = \"mqtt://127.0.0.1\"\n[cloud]\nverify_orders = \"never\"\n\
                    [board]\nprofile = \"tcn-00ff\"\nport = \"port\"\n";
        fs::write(&file, text).unwrap();
        let config = Config::load(&file).unwrap().config;
        let nowhere = [(); 2].map(|()| Path::new("/nowhere").to_owned());
        let [missed] = &secrets(&nowhere, Some(&config)).unread[..] else { panic!() };
        assert!(missed.en.starts_with("/nowhere/app_key: empty or not there"), "{missed:?}");
    }
}
