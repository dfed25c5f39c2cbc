//! The pages of webhooks, asked without a socket: who sees and may do what.

use axum::http::{Method, StatusCode};
use quantum_clm::config::Webhook;
use quantum_clm::domain::role::Role;
use quantum_clm::domain::webhook::WebhookName;

use crate::support::app::{Answer, Appliance, As};
use crate::support::receiver::{Receiver, Reply, write_secret};

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

struct Pages {
    appliance: Appliance,
    receiver: Receiver,
    viewer: As,
    operator: As,
    admin: As,
}

impl Pages {
    fn new() -> Self {
        let receiver = Receiver::start();
        let url = receiver.url();
        let appliance = Appliance::configured(|config| {
            let secret_file = config.data_file.with_file_name("ops.secret");
            write_secret(&secret_file, "a secret that is long enough");
            let webhook = Webhook {
                url: url.parse().unwrap(),
                secret_file,
                ca_file: None,
                events: vec!["clm.model_promoted".to_owned()],
                allow_http: false,
                give_up_after: std::time::Duration::from_secs(86_400),
            };
            config.notify.webhooks.insert("ops".parse::<WebhookName>().unwrap(), webhook);
        });
        let sign_in = |role| {
            appliance.add_user(role);
            appliance.session(role)
        };
        let (viewer, operator, admin) = (sign_in(Role::Viewer), sign_in(Role::Operator), sign_in(Role::Admin));
        Self { appliance, receiver, viewer, operator, admin }
    }

    async fn page(&self, who: &As, path: &str) -> String {
        let answer = self.appliance.get(who, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.body
    }

    async fn form(&self, who: &As, path: &str) -> Answer {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let As::Session { csrf, .. } = who else { panic!("a form is sent by somebody who is signed in") };
        self.appliance.ask(who, Method::POST, path, &format!("csrf={csrf}"), &form).await
    }
}

#[tokio::test]
async fn an_admin_tests_a_viewer_looks() {
    let pages = Pages::new();
    let list = pages.page(&pages.viewer, "/webhooks").await;
    assert!(list.contains("href=\"/webhooks/ops\"") && list.contains("clm.model_promoted"), "{list}");
    assert!(!list.contains("k3y-in-the-query"), "{list}");
    for (who, offered) in [(&pages.viewer, false), (&pages.operator, false), (&pages.admin, true)] {
        let page = pages.page(who, "/webhooks/ops").await;
        assert_eq!(page.contains("action=\"/webhooks/ops/test\""), offered, "{page}");
    }
    assert_eq!(pages.form(&pages.operator, "/webhooks/ops/test").await.status, StatusCode::FORBIDDEN);
    assert_eq!(pages.receiver.ids().len(), 0, "nothing was sent");

    let done = pages.form(&pages.admin, "/webhooks/ops/test").await;
    let to = done.headers.get("location").and_then(|to| to.to_str().ok());
    assert_eq!((done.status, to), (StatusCode::SEE_OTHER, Some("/webhooks/ops?done=webhook-tested")), "{done:?}");
    assert!(pages.page(&pages.admin, to.unwrap()).await.contains("The receiver took the test."));
    let replay = pages.form(&pages.operator, "/webhooks/ops/deliveries/1/replay").await;
    assert_eq!(replay.status, StatusCode::CONFLICT, "a test is no event of the bus: {replay:?}");
    assert_eq!(pages.form(&pages.viewer, "/webhooks/ops/deliveries/1/replay").await.status, StatusCode::FORBIDDEN);
    assert_eq!(pages.appliance.get(&pages.viewer, "/webhooks/none").await.status, StatusCode::NOT_FOUND);
    let actions: Vec<_> = pages.appliance.log().into_iter().map(|record| record.action).collect();
    assert_eq!(actions.iter().filter(|action| *action == "webhook.test").count(), 1, "{actions:?}");
}

#[tokio::test]
async fn what_a_receiver_says_is_text() {
    let pages = Pages::new();
    pages.receiver.otherwise(Some(Reply::Say(500, "", HOSTILE)));
    let refused = pages.form(&pages.admin, "/webhooks/ops/test").await;
    assert_eq!(refused.status, StatusCode::OK);
    let shown = pages.page(&pages.viewer, "/webhooks/ops").await;
    for page in [refused.body, shown] {
        assert!(!page.contains("<script>") && !page.contains("<img"), "{page}");
        assert!(page.contains("it answers 500: &#60;script&#62;alert(1)"), "{page}");
        assert_eq!(page.matches("<h1>").count(), 1);
    }
}

#[tokio::test]
async fn without_a_webhook_the_page_says_how_to_have_one() {
    let appliance = Appliance::new();
    appliance.add_user(Role::Viewer);
    let page = appliance.get(&appliance.session(Role::Viewer), "/webhooks").await;
    assert!(page.body.contains("Nobody is told") && page.body.contains("[notify.webhooks.NAME]"), "{page:?}");
}
