//! `operations.md`: both APIs, from the model.

use hadron_model::Action;

use super::markdown::{MADE, code, codes, table};

#[test]
fn the_published_operations_are_those_of_the_model() {
    super::published("operations.md", &page());
}

fn page() -> String {
    let mut text = format!("{MADE}# Operations\n\n");
    text += "Both APIs speak AWS JSON 1.0 at one address and are signed with SigV4. `hadron client install` gives the AWS CLI \
             both models, so that `aws proton …` and `aws hadron …` work. Who may perform what is said in \
             [policies](../policies.md), what an exception means in [errors](errors.md).\n";
    for (service, heading) in [("proton", "Proton's"), ("hadron", "Hadron's own")] {
        let all = Action::all().filter(|action| action.service() == service);
        let prefix =
            Action::all().find(|action| action.service() == service).expect("either has operations").target_prefix();
        text += &format!("\n## {heading}\n\n`X-Amz-Target: {prefix}.OPERATION`\n\n");
        text += &table(["operation", "", "exceptions"], all.map(row));
    }
    text
}

fn row(action: Action) -> [String; 3] {
    // Every operation may answer these; errors.md has them.
    let common = ["AccessDeniedException", "InternalServerException", "ThrottlingException", "ValidationException"];
    let exceptions = action.errors().iter().copied().filter(|name| !common.contains(name));
    let reads = if action.reads() { "reads" } else { "writes" };
    [code(action.name()), reads.to_owned(), codes(exceptions)]
}
