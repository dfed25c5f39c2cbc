use crate::domain::role::Role;
use crate::http::peer::Caller;

/// What every page has around its content: title, navigation, who is signed in.
#[derive(Clone, Debug)]
pub(in crate::http) struct Frame {
    /// The page's name.
    pub(in crate::http) title: String,
    /// Who looks; empty where nobody is signed in.
    pub(in crate::http) user: String,
    /// What they may do.
    pub(in crate::http) role: Role,
    /// What each form must carry in its field `csrf`.
    pub(in crate::http) csrf: String,
}

impl Frame {
    /// The frame of a page for this caller.
    pub(in crate::http) fn of(title: impl Into<String>, caller: &Caller) -> Self {
        let user = if caller.is_known() { caller.name.clone() } else { String::new() };
        Self { title: title.into(), user, role: caller.role(), csrf: caller.csrf().to_owned() }
    }

    /// The frame of a page for a stranger.
    pub(in crate::http) fn anonymous(title: impl Into<String>) -> Self {
        Self::of(title, &Caller::anonymous())
    }
}
