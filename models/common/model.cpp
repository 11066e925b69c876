#include "models/common/model.h"
