use crate::domain::role::Role;
use crate::http::peer::Caller;

/// What every page has around its content: title, navigation, who is signed in, and what just happened.
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
    /// Which entry of the navigation is marked; none where it is empty.
    pub(in crate::http) place: &'static str,
    /// What just happened, above the content.
    pub(in crate::http) notice: Option<Notice>,
}

/// One sentence above a page's content.
#[derive(Clone, Debug)]
pub(in crate::http) struct Notice {
    /// How it is meant.
    pub(in crate::http) tone: Tone,
    /// The sentence.
    pub(in crate::http) text: String,
}

/// How a notice is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Tone {
    /// It is done.
    Good,
    /// It is not done.
    Bad,
}

impl Tone {
    /// The class of the stylesheet.
    pub(in crate::http) fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }

    /// Whether a screen reader should say it at once.
    pub(in crate::http) fn is_bad(self) -> bool {
        self == Self::Bad
    }
}

/// An entry of the navigation.
pub(in crate::http) struct Link {
    /// Its page.
    pub(in crate::http) href: &'static str,
    /// Its words.
    pub(in crate::http) name: &'static str,
    /// Whether it is the page that is shown, or the one above it.
    pub(in crate::http) current: bool,
    /// Whether a new group begins with it.
    pub(in crate::http) begins_group: bool,
}

/// The groups of the navigation: path, name, the least role that the page asks for.
const GROUPS: [&[(&str, &str, Role)]; 2] = [
    &[
        ("/", "Health", Role::Viewer),
        ("/events", "Events", Role::Viewer),
        ("/trade-path", "Trade path", Role::Viewer),
        ("/intents", "Intents", Role::Viewer),
        ("/models", "Models", Role::Viewer),
        ("/jobs", "Jobs", Role::Viewer),
        ("/schedule", "Schedule", Role::Viewer),
        ("/webhooks", "Webhooks", Role::Viewer),
        ("/dead-letters", "Dead letters", Role::Viewer),
        ("/backups", "Backups", Role::Viewer),
    ],
    &[
        ("/users", "Users", Role::Admin),
        ("/tokens", "Tokens", Role::Admin),
        ("/sessions", "Sessions", Role::Viewer),
        ("/audit", "Audit", Role::Admin),
    ],
];

impl Frame {
    /// The frame of a page for this caller.
    pub(in crate::http) fn of(title: impl Into<String>, caller: &Caller) -> Self {
        let user = if caller.is_known() { caller.name.clone() } else { String::new() };
        let csrf = caller.csrf().to_owned();
        Self { title: title.into(), user, role: caller.role(), csrf, place: "", notice: None }
    }

    /// The frame of a page for a stranger.
    pub(in crate::http) fn anonymous(title: impl Into<String>) -> Self {
        Self::of(title, &Caller::anonymous())
    }

    /// Marks the entry of the navigation with this path.
    pub(in crate::http) fn at(mut self, place: &'static str) -> Self {
        self.place = place;
        self
    }

    /// Says above the content what just happened.
    pub(in crate::http) fn notice(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.notice = Some(Notice { tone, text: text.into() });
        self
    }

    /// Whether the caller may do what asks for `least`: what is refused anyway is not offered.
    pub(in crate::http) fn may(&self, least: Role) -> bool {
        self.role >= least
    }

    /// The navigation.
    pub(in crate::http) fn links(&self) -> Vec<Link> {
        let mut links = Vec::new();
        for group in GROUPS {
            let mut begins_group = !links.is_empty();
            for (href, name, _) in group.iter().copied().filter(|(.., least)| self.may(*least)) {
                links.push(Link { href, name, current: href == self.place, begins_group });
                begins_group = false;
            }
        }
        links
    }
}
