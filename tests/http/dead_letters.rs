//! The pages of dead letters, asked without a socket: who sees and may do what.

use axum::http::{Method, StatusCode};
use quantum_clm::domain::role::Role;
use quantum_clm::store::StoreError;

use crate::support::app::{Answer, Appliance, As};
use crate::support::bus_in::{dead_letter, payload};

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

struct Pages {
    appliance: Appliance,
    viewer: As,
    operator: As,
}

impl Pages {
    fn new() -> Self {
        let appliance = Appliance::new();
        let hostile = format!(r#"{{"requested_by": {HOSTILE:?}}}"#);
        for (number, payload) in [(1, hostile), (2, payload("alice"))] {
            let put = |txn: &quantum_clm::store::WriteTxn| txn.put_dead_letter(&dead_letter(number, &payload));
            appliance.app.store.write::<_, StoreError>(put).unwrap();
        }
        let sign_in = |role| {
            appliance.add_user(role);
            appliance.session(role)
        };
        let (viewer, operator) = (sign_in(Role::Viewer), sign_in(Role::Operator));
        Self { appliance, viewer, operator }
    }

    async fn page(&self, who: &As, path: &str) -> String {
        let answer = self.appliance.get(who, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.body
    }

    async fn form(&self, who: &As, path: &str, fields: &str) -> Answer {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let As::Session { csrf, .. } = who else { panic!("a form is sent by somebody who is signed in") };
        self.appliance.ask(who, Method::POST, path, &format!("csrf={csrf}{fields}"), &form).await
    }
}

#[tokio::test]
async fn an_operator_replays_and_discards_a_viewer_looks() {
    let pages = Pages::new();
    for (who, offered) in [(&pages.viewer, false), (&pages.operator, true)] {
        let list = pages.page(who, "/dead-letters").await;
        assert!(list.contains("href=\"/dead-letters/2\"") && list.contains("manual.training_requested"), "{list}");
        assert_eq!(list.contains("action=\"/dead-letters/2/replay\""), offered, "{list}");
        let one = pages.page(who, "/dead-letters/2").await;
        assert_eq!(one.contains("action=\"/dead-letters/2/replay\""), offered, "{one}");
    }
    for path in ["/dead-letters/2/replay", "/dead-letters/2/discard"] {
        assert_eq!(pages.form(&pages.viewer, path, "&why=x").await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let done = pages.form(&pages.operator, "/dead-letters/2/replay", "").await;
    let to = done.headers.get("location").and_then(|to| to.to_str().ok());
    assert_eq!((done.status, to), (StatusCode::SEE_OTHER, Some("/dead-letters/2?done=letter-replayed")), "{done:?}");
    let page = pages.page(&pages.operator, to.unwrap()).await;
    assert!(page.contains("The message was processed once more, and taken."), "{page}");
    assert!(!page.contains("action=\"/dead-letters/2/"), "it is over: {page}");
    let again = pages.form(&pages.operator, "/dead-letters/2/replay", "").await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.body.contains("operator was first, and it was replayed"), "{}", again.body);

    let failed = pages.form(&pages.operator, "/dead-letters/1/replay", "").await;
    assert_eq!(failed.status, StatusCode::CONFLICT);
    assert!(failed.body.contains("It failed again: payload/model_type: it is missing."), "{}", failed.body);
    let unsaid = pages.form(&pages.operator, "/dead-letters/1/discard", "&why=+").await;
    assert_eq!(unsaid.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unsaid.body.contains("say why"), "{}", unsaid.body);
    let done = pages.form(&pages.operator, "/dead-letters/1/discard", "&why=nobody+wants+it").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{done:?}");
    assert!(pages.page(&pages.viewer, "/dead-letters/1").await.contains("nobody wants it"));

    let records = pages.appliance.log();
    let of_letters = |records: &[quantum_clm::app::accounts::AuditRow]| -> Vec<(String, String)> {
        let of = records.iter().filter(|record| record.action.starts_with("dead_letter."));
        of.map(|record| (record.action.clone(), record.by.clone())).collect()
    };
    let by = |action: &str| (action.to_owned(), "operator".to_owned());
    let expected = [by("dead_letter.replay"), by("dead_letter.replay"), by("dead_letter.discard")];
    let done: Vec<_> = of_letters(&records).into_iter().filter(|(_, by)| by == "operator").collect();
    assert_eq!(done, expected);
}

#[tokio::test]
async fn what_a_message_says_is_text() {
    let pages = Pages::new();
    let page = pages.page(&pages.operator, "/dead-letters/1").await;
    assert!(!page.contains("<script>") && !page.contains("<img"), "{page}");
    assert!(page.contains("&#60;script&#62;alert(1)"), "{page}");
    assert_eq!(pages.appliance.get(&pages.viewer, "/dead-letters/9").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn without_a_letter_the_page_says_what_would_be_here() {
    let appliance = Appliance::new();
    appliance.add_user(Role::Viewer);
    let page = appliance.get(&appliance.session(Role::Viewer), "/dead-letters").await;
    assert!(page.body.contains("Every message was understood") && page.body.contains("tried three times"), "{page:?}");
}
