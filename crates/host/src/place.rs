//! Where the user's own files are.
//!
//! Relative paths in the environment are ignored, as the XDG base directory specification asks: otherwise the working
//! directory could decide what is trusted.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::HostError;

/// The user's own folders for this program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Home {
    /// Configuration: `$XDG_CONFIG_HOME/lundian`, or `~/.config/lundian`.
    pub config: PathBuf,
    /// Data: `$XDG_DATA_HOME/lundian`, or `~/.local/share/lundian`.
    pub data: PathBuf,
}

impl Home {
    /// The folders that the environment names. They need not exist.
    ///
    /// # Errors
    /// [`HostError::NoHome`].
    pub fn from_env() -> Result<Self, HostError> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, HostError> {
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let home = absolute("HOME").or_else(|| absolute("USERPROFILE"));
        let folder = |name: &str, within_home: &str| {
            let folder = absolute(name).or_else(|| home.as_ref().map(|h| h.join(within_home)));
            folder.map(|f| f.join("lundian")).ok_or(HostError::NoHome)
        };
        Ok(Self { config: folder("XDG_CONFIG_HOME", ".config")?, data: folder("XDG_DATA_HOME", ".local/share")? })
    }

    /// Both folders below `root`: for tests, and for a program that keeps its things together.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { config: root.join("config"), data: root.join("data") }
    }

    /// Where installed plugins live.
    pub fn plugins(&self) -> PathBuf {
        self.data.join("plugins")
    }

    /// The list of trusted plugins.
    pub fn trust_file(&self) -> PathBuf {
        self.config.join("trust.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_working_directory_has_no_say() {
        let home = |variables: &[(&str, &str)]| {
            let value = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into());
            Home::from_variables(value).map(|h| h.trust_file().display().to_string())
        };
        assert_eq!(home(&[("HOME", "/home/u")]).unwrap(), "/home/u/.config/lundian/trust.toml");
        let both = [("HOME", "/home/u"), ("XDG_CONFIG_HOME", "/etc/u")];
        assert_eq!(home(&both).unwrap(), "/etc/u/lundian/trust.toml");
        let relative = [("HOME", "/home/u"), ("XDG_CONFIG_HOME", ".")];
        assert_eq!(home(&relative).unwrap(), "/home/u/.config/lundian/trust.toml");
        assert!(matches!(home(&[("HOME", "."), ("XDG_DATA_HOME", "/x")]), Err(HostError::NoHome)));
    }
}
