// What the real package's function returns too: the action that it was given.
exports.createTemplateAction = (action) => action;
