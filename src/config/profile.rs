//! Finding a board's profile. It stands here and not beside [`Profile`] because it may read a file.

use crate::board::profile::{Profile, ProfileError};
use std::path::Path;

impl Profile {
    /// Finds a profile by built-in name or by path (anything with a `/` or ending in `.toml`), relative to `base`.
    ///
    /// # Errors
    /// [`ProfileError`] says what is wrong and where.
    pub fn find(name: &str, base: &Path) -> Result<Profile, ProfileError> {
        if name.contains('/') || name.ends_with(".toml") {
            let path = base.join(name);
            let text =
                std::fs::read_to_string(&path).map_err(|source| ProfileError::Read { path: path.clone(), source })?;
            return Profile::parse(&path.display().to_string(), &text);
        }
        let built_in = Profile::built_in();
        match built_in.iter().find(|(known, _)| *known == name) {
            Some((known, text)) => Profile::parse(&format!("boards/{known}.toml"), text),
            None => Err(ProfileError::Unknown {
                name: name.to_owned(),
                known: built_in.iter().map(|(known, _)| (*known).to_owned()).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_profile_names_the_known_ones() {
        let error = Profile::find("nonsense", Path::new(".")).unwrap_err().to_string();
        assert!(error.contains("tcn-00ff"), "{error}");
    }

    #[test]
    fn a_profile_of_a_file_is_found_from_where_the_configuration_stands() {
        let folder = tempfile::tempdir().unwrap();
        let (name, text) = Profile::built_in()[0];
        std::fs::write(folder.path().join("mine.toml"), text).unwrap();
        assert_eq!(Profile::find("mine.toml", folder.path()).unwrap().name, name);
        let error = Profile::find("other.toml", folder.path()).unwrap_err();
        assert!(matches!(error, ProfileError::Read { .. }), "{error}");
    }
}
