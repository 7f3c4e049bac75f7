// Of Backstage's common backend the plugin uses the error handler alone: errors become JSON with status 500. The real
// package would bring 700 more.
exports.errorHandler = () => (error, _request, response, _next) =>
  response.status(500).json({ error: { name: error.name, message: error.message } });
